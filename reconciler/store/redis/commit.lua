#!lua
-- Decides a request on the reservations of a fleet: the translation of reconciler/model/decide.ts. Everything is read and decided
-- first and written last, so that an error on the way leaves nothing half done.
--
-- KEYS [1] incarnation  [2] cursor "NUMBER STAMP"  [3] hosts (host -> record)  [4] placements (replica -> placement)
--      [5] addresses (network/address or block -> record)  [6] loads (host -> sums in the order of RESOURCES, at least three, then ,"APP":PLACEMENTS…)
--      [7] counts (level/app/domain -> placements)  [8] replies (request -> reply)  [9] replied (requests by time)  [10] log (stream)
--      [11] the lease that it is written under, where there is one
-- ARGV [1] incarnation  [2] request id  [3] now, ms  [4] replies kept  [5] ms they are kept  [6] commits kept in the log  [7] channel
--      [8] holder of the lease  [9] its fence, both empty without one, then for each proposal, as canonical JSON where it is not a name:
--      host NAME RECORD | forget-host NAME | place PLACEMENT HOST-EPOCH LIMITS BLOCK | move PLACEMENT HOST-EPOCH LIMITS |
--      resize REPLICA DEMAND | release REPLICA UNTIL | yield REPLICA EPOCH TO-OR-NOTHING |
--      gang N, with the N places that follow: all of them or none
--      LIMITS {"switch": N, "rack": N, "host": N, "near": [{"app", "within"}, …], "apart": [the same]}, each of them where there is one
-- Reply: JSON {"cursor": N, "verdicts": [1 | {"reason": …, "current": …}, …]}, -1 when the store has another incarnation, -2 when the lease is not
-- held any more as it was.
-- Idempotent: a request id that is still kept gets its first reply and changes nothing. The stamp hashes all commits so far.

if redis.call('GET', KEYS[1]) ~= ARGV[1] then return -1 end
local request = ARGV[2]
local before = redis.call('HGET', KEYS[8], request)
if before then return before end
if KEYS[11] then
  local holder, fence = unpack(redis.call('HMGET', KEYS[11], 'holder', 'fence'))
  if holder ~= ARGV[8] or fence ~= ARGV[9] then return -2 end
end
local now = tonumber(ARGV[3])

local RESOURCES = { 'cpu', 'memory', 'pids', 'disk', 'spindles',
  'node0', 'node1', 'node2', 'node3', 'node4', 'node5', 'node6', 'node7' }
local PLACE = {}
for index, resource in ipairs(RESOURCES) do PLACE[resource] = index end
local LEVELS = { 'switch', 'rack', 'host' }

-- all digits of a double, so that it comes back as the same number; those of a whole one are written much sooner
local function number(value)
  if value % 1 == 0 and value < 1e15 and value > -1e15 then return string.format('%d', value) end
  return string.format('%.17g', value)
end

-- names as JSON, of which the same few come again and again
local quotes = {}
local function quoted(name)
  local text = quotes[name]
  if not text then
    text = cjson.encode(name)
    quotes[name] = text
  end
  return text
end

-- how to take back what is set; nil while nobody would
local undo

-- a layer over a hash: reads a field once, keeps what is set (false: removed) until it is written
local function layer(key)
  local seen, changed = {}, {}
  return {
    get = function(field)
      local value = seen[field]
      if value == nil then
        value = redis.call('HGET', key, field)
        seen[field] = value
      end
      return value
    end,
    -- reads many fields in one call
    fetch = function(fields)
      for from = 1, #fields, 1000 do
        local to = math.min(from + 999, #fields)
        local values = redis.call('HMGET', key, unpack(fields, from, to))
        for index, value in ipairs(values) do seen[fields[from + index - 1]] = value end
      end
    end,
    set = function(field, value)
      if undo then
        local old, was = seen[field], changed[field]
        undo[#undo + 1] = function() seen[field], changed[field] = old, was end
      end
      seen[field] = value
      changed[field] = true
    end,
    write = function()
      local set, removed = {}, {}
      local function flush(most)
        if #set > most then redis.call('HSET', key, unpack(set)); set = {} end
        if #removed > most then redis.call('HDEL', key, unpack(removed)); removed = {} end
      end
      for field in pairs(changed) do
        local value = seen[field]
        if value then
          set[#set + 1] = field
          set[#set + 1] = value
        else
          removed[#removed + 1] = field
        end
        flush(1000) -- unpack knows no more than some thousand
      end
      flush(0)
    end,
  }
end

local hosts, placements, addresses = layer(KEYS[3]), layer(KEYS[4]), layer(KEYS[5])
local loads, counts = layer(KEYS[6]), layer(KEYS[7])

local known = {}
local function decoded(json)
  if not json then return nil end
  local value = known[json]
  if not value then
    value = cjson.decode(json)
    known[json] = value
  end
  return value
end

local function hostOf(name) return decoded(hosts.get(name)) end

-- a host's sums and, as text so that a placing need not parse them all, how many placements each App has there
local touched = {}
local function loadOf(host)
  local load = touched[host]
  if not load then
    local sums, apps = string.match(loads.get(host) or '', '^([^,]*)(.*)$')
    load = { apps = apps }
    for sum in string.gmatch(sums, '%S+') do load[#load + 1] = tonumber(sum) end
    -- a sum that is not there was none when it was written
    for index = #load + 1, #RESOURCES do load[index] = 0 end
    touched[host] = load
  end
  return load
end

local function residentsOf(host) return '{' .. string.sub(loadOf(host).apps, 2) .. '}' end

-- the count of an App, the words in front of it, and where both stand; a quote inside a name is escaped, so no other name fits
local function findApp(apps, app)
  local key = ',' .. quoted(app) .. ':'
  local from, to = string.find(apps, key, 1, true)
  if not from then return 0, key, #apps + 1, #apps end
  local digits = string.match(apps, '^%d+', to + 1)
  return tonumber(digits), key, from, to + #digits
end

local function countOf(app, level, domain)
  if level == 'host' then return (findApp(loadOf(domain).apps, app)) end
  return tonumber(counts.get(level .. '/' .. app .. '/' .. domain) or 0)
end

local function addCount(key, step)
  local left = tonumber(counts.get(key) or 0) + step
  counts.set(key, left ~= 0 and number(left))
end

local function addDomains(record, app, step)
  if not record then return end
  addCount('switch/' .. app .. '/' .. record.switch, step)
  addCount('rack/' .. app .. '/' .. record.rack, step)
end

-- sums at the end that are zero are left out, as a script that does not know them does
local function loadText(load)
  local last = #RESOURCES
  while last > 3 and load[last] == 0 do last = last - 1 end
  local text = ''
  for index = 1, last do text = text .. number(load[index]) .. ' ' end
  return text .. load.apps
end

local function addPlacement(placement, sign)
  local load = loadOf(placement.host)
  for resource, amount in pairs(placement.demand) do
    local index = PLACE[resource]
    if index then load[index] = load[index] + sign * amount end
  end
  local count, key, from, to = findApp(load.apps, placement.app)
  local entry = count + sign ~= 0 and key .. number(count + sign) or ''
  load.apps = string.sub(load.apps, 1, from - 1) .. entry .. string.sub(load.apps, to + 1)
  if load.apps == '' then for index in ipairs(RESOURCES) do load[index] = 0 end end
  loads.set(placement.host, load.apps ~= '' and loadText(load))
  addDomains(hostOf(placement.host), placement.app, sign)
end

local deltas = {}

local function setHost(host, json)
  local old, new = hostOf(host), decoded(json)
  if (old and old.rack) ~= (new and new.rack) or (old and old.switch) ~= (new and new.switch) then
    for app, count in pairs(cjson.decode(residentsOf(host))) do
      addDomains(old, app, -count)
      addDomains(new, app, count)
    end
  end
  hosts.set(host, json)
  deltas[#deltas + 1] = '{"type":"host","host":' .. cjson.encode(host) .. (json and ',"record":' .. json or '') .. '}'
end

local function setPlacement(replica, json)
  local old = decoded(placements.get(replica))
  if old then addPlacement(old, -1) end
  if json then addPlacement(decoded(json), 1) end
  placements.set(replica, json)
  deltas[#deltas + 1] = '{"type":"placement","replica":' .. quoted(replica) .. (json and ',"placement":' .. json or '') .. '}'
end

local function setAddress(key, json)
  addresses.set(key, json)
  deltas[#deltas + 1] = '{"type":"address","key":' .. quoted(key) .. (json and ',"record":' .. json or '') .. '}'
end

local ACCEPTED = '1'
local function conflict(reason, current)
  return '{"reason":"' .. reason .. '"' .. (current and ',"current":' .. current or '') .. '}'
end

-- the conflict when `want` instead of `have` asks for more than the host has left
local function overflow(record, have, want)
  local load = loadOf(record.host)
  local first
  for resource, wants in pairs(want) do
    local index, had = PLACE[resource], have[resource] or 0
    if index and wants > had and load[index] - had + wants > (record.allocatable[resource] or 0) then
      first = math.min(first or index, index)
    end
  end
  if not first then return nil end
  local resource = RESOURCES[first]
  local most = record.allocatable[resource] or 0
  return conflict('capacity', '{"resource":"' .. resource .. '","used":' .. number(load[first]) .. ',"allocatable":' .. number(most) .. '}')
end

local function addressConflict(key)
  local record = decoded(addresses.get(key))
  if not record or record.zone then return nil end
  if record.replica then return conflict('address-owned', cjson.encode(record.replica)) end
  if record['until'] > now then return conflict('address-resting', number(record['until'])) end
end

-- a block of addresses stays with the zone that it is leased to for as long as one of them is not free
local function blockConflict(network, block, record, zone)
  if not record or record.zone == zone then return nil end
  local a, b, c, d, prefix = string.match(block, '^(%d+)%.(%d+)%.(%d+)%.(%d+)/(%d+)$')
  local first = ((a * 256 + b) * 256 + c) * 256 + d
  for address = first, first + 2 ^ (32 - prefix) - 1 do
    local function byte(shift) return math.floor(address / shift) % 256 end
    local text = string.format('%d.%d.%d.%d', byte(16777216), byte(65536), byte(256), byte(1))
    if addressConflict(network .. '/' .. text) then return conflict('block-leased', cjson.encode(record.zone)) end
  end
end

local NOTHING = {}
local DEMAND = '"demand":'

local decide = {}

decide['host'] = function(host, json)
  local old = hosts.get(host)
  if old then
    if decoded(json).epoch < decoded(old).epoch then return conflict('epoch', number(decoded(old).epoch)) end
    if old == json then return ACCEPTED end
  end
  setHost(host, json)
  return ACCEPTED
end

decide['forget-host'] = function(host)
  if not hosts.get(host) then return ACCEPTED end
  if loadOf(host).apps ~= '' then return conflict('host-in-use', residentsOf(host)) end
  setHost(host, false)
  return ACCEPTED
end

-- the conflict when a host is to take a replica, which takes with it what it has at `old`
local function hostConflict(placement, epoch, old)
  local record = hostOf(placement.host)
  if not record then return conflict('no-host') end
  if record.state ~= 'open' then return conflict('host-closed', cjson.encode(record.state)) end
  if record.zone ~= placement.zone then return conflict('wrong-zone', cjson.encode(record.zone)) end
  if record.epoch ~= tonumber(epoch) then return conflict('epoch', number(record.epoch)) end
  return overflow(record, old and old.host == placement.host and old.demand or NOTHING, placement.demand)
end

local NO_LIMITS = '{}'
local function spreadConflict(placement, limits, old)
  if limits == NO_LIMITS then return nil end
  local record, left, spread = hostOf(placement.host), old and hostOf(old.host), decoded(limits)
  for _, level in ipairs(LEVELS) do
    local limit = spread[level]
    if limit then
      local own = left and left[level] == record[level] and 1 or 0
      local count = countOf(placement.app, level, record[level]) - own
      if count >= limit then
        return conflict('spread', '{"level":"' .. level .. '","count":' .. number(count) .. ',"limit":' .. number(limit) .. '}')
      end
    end
  end
end

-- the conflict when other Apps must, or must not, be where a replica goes
local function neighbourConflict(placement, limits)
  if limits == NO_LIMITS then return nil end
  local record, beside = hostOf(placement.host), decoded(limits)
  local function told(reason, one)
    return conflict(reason, '{"app":' .. cjson.encode(one.app) .. ',"within":"' .. one.within .. '"}')
  end
  for _, one in ipairs(beside.near or {}) do
    if countOf(one.app, one.within, record[one.within]) == 0 then return told('affinity', one) end
  end
  for _, one in ipairs(beside.apart or {}) do
    if countOf(one.app, one.within, record[one.within]) > 0 then return told('anti-affinity', one) end
  end
end

decide['place'] = function(json, epoch, limits, block)
  local placement = decoded(json)
  local replica = placement.replica
  local old = placements.get(replica)
  if old then return old == json and ACCEPTED or conflict('placed-elsewhere', old) end
  local key = placement.network .. '/' .. placement.address
  local range = block ~= '' and placement.network .. '/' .. block
  local lease = range and decoded(addresses.get(range))
  local refused = hostConflict(placement, epoch) or addressConflict(key)
    or range and blockConflict(placement.network, block, lease, placement.zone) or spreadConflict(placement, limits)
    or neighbourConflict(placement, limits)
  if refused then return refused end
  setPlacement(replica, json)
  setAddress(key, '{"replica":' .. quoted(replica) .. '}')
  if range and (lease and lease.zone) ~= placement.zone then
    setAddress(range, '{"zone":' .. cjson.encode(placement.zone) .. '}')
  end
  return ACCEPTED
end

-- the address stays the replica's throughout
decide['move'] = function(json, epoch, limits)
  local placement = decoded(json)
  local before = placements.get(placement.replica)
  if not before then return conflict('not-placed') end
  if before == json then return ACCEPTED end
  local old = decoded(before)
  if old.epoch + 1 ~= placement.epoch or old.app ~= placement.app or old.zone ~= placement.zone
    or old.network ~= placement.network or old.address ~= placement.address then
    return conflict('placed-elsewhere', before)
  end
  local refused = hostConflict(placement, epoch, old) or spreadConflict(placement, limits, old) or neighbourConflict(placement, limits)
  if refused then return refused end
  setPlacement(placement.replica, json)
  return ACCEPTED
end

decide['resize'] = function(replica, demand)
  local old = placements.get(replica)
  if not old then return conflict('not-placed') end
  local placement = decoded(old)
  local record = hostOf(placement.host)
  if not record then return conflict('no-host') end
  -- a quote inside a string is escaped, so this is the member and nothing else
  local from, start = string.find(old, DEMAND, 1, true)
  local _, to = string.find(old, '}', start, true)
  if string.sub(old, start + 1, to) == demand then return ACCEPTED end
  local refused = overflow(record, placement.demand, decoded(demand))
  if refused then return refused end
  setPlacement(replica, string.sub(old, 1, from - 1) .. DEMAND .. demand .. string.sub(old, to + 1))
  return ACCEPTED
end

decide['release'] = function(replica, rest)
  local placement = decoded(placements.get(replica))
  if not placement then return conflict('not-placed') end
  setPlacement(replica, false)
  setAddress(placement.network .. '/' .. placement.address, tonumber(rest) > now and '{"until":' .. rest .. '}')
  return ACCEPTED
end

-- a mark on the placement. It stands before the zone, as members are in order of name; a quote inside a string is escaped, so that
-- both are members and nothing else
local YIELDS, ZONE = ',"yields":', ',"zone":'
decide['yield'] = function(replica, epoch, to)
  local old = placements.get(replica)
  if not old then return conflict('not-placed') end
  if decoded(old).epoch ~= tonumber(epoch) then return conflict('placed-elsewhere', old) end
  local zone = string.find(old, ZONE, 1, true)
  local from = string.find(old, YIELDS, 1, true) or zone
  local whom = string.sub(old, from + #YIELDS, zone - 1)
  if whom == to then return ACCEPTED end
  if whom ~= '' and to ~= '' then return conflict('yields', whom) end
  setPlacement(replica, string.sub(old, 1, from - 1) .. (to ~= '' and YIELDS .. to or '') .. string.sub(old, zone))
  return ACCEPTED
end

local FIRST = 10 -- where the proposals begin
local ARGUMENTS = {
  ['gang'] = 1, ['host'] = 2, ['forget-host'] = 1, ['place'] = 4, ['move'] = 3, ['resize'] = 2, ['release'] = 2, ['yield'] = 3,
}

-- what the placings will ask for, in a few calls instead of some for each
do
  local replicas, names, keys, sums = {}, {}, {}, {}
  local placings = {}
  local at = FIRST
  while at <= #ARGV do
    if ARGV[at] == 'place' or ARGV[at] == 'move' then
      local placement = decoded(ARGV[at + 1])
      placings[#placings + 1] = placement
      replicas[#replicas + 1] = placement.replica
      names[#names + 1] = placement.host
      keys[#keys + 1] = placement.network .. '/' .. placement.address
      if ARGV[at] == 'place' and ARGV[at + 4] ~= '' then
        keys[#keys + 1] = placement.network .. '/' .. ARGV[at + 4]
      end
    end
    at = at + 1 + ARGUMENTS[ARGV[at]]
  end
  hosts.fetch(names)
  loads.fetch(names)
  placements.fetch(replicas)
  addresses.fetch(keys)
  for _, placement in ipairs(placings) do
    local record = hostOf(placement.host)
    if record then
      sums[#sums + 1] = 'switch/' .. placement.app .. '/' .. record.switch
      sums[#sums + 1] = 'rack/' .. placement.app .. '/' .. record.rack
    end
  end
  counts.fetch(sums)
end

-- all places from an argument on, or none: what was done of them is taken back
local function decideGang(from, members)
  local told = #deltas
  undo = {}
  local refused
  for member = 0, members - 1 do
    local at = from + member * (1 + ARGUMENTS['place'])
    local verdict = decide['place'](ARGV[at + 1], ARGV[at + 2], ARGV[at + 3], ARGV[at + 4])
    if verdict ~= ACCEPTED then
      refused = conflict('gang', '{"replica":' .. cjson.encode(decoded(ARGV[at + 1]).replica) .. ',' .. string.sub(verdict, 2))
      break
    end
  end
  if refused then
    for step = #undo, 1, -1 do undo[step]() end
    for index = #deltas, told + 1, -1 do deltas[index] = nil end
    touched = {} -- the sums are read from the text again
  end
  undo = nil
  return refused or ACCEPTED
end

local verdicts = {}
local at = FIRST
while at <= #ARGV do
  local op = ARGV[at]
  if op == 'gang' then
    local members = tonumber(ARGV[at + 1])
    at = at + 2
    verdicts[#verdicts + 1] = decideGang(at, members)
    at = at + members * (1 + ARGUMENTS['place'])
  else
    verdicts[#verdicts + 1] = decide[op](ARGV[at + 1], ARGV[at + 2], ARGV[at + 3], ARGV[at + 4])
    at = at + 1 + ARGUMENTS[op]
  end
end

-- from here on it is written
local cursor, stamp = string.match(redis.call('GET', KEYS[2]) or '0 ', '^(%d+) (%x*)$')
if #deltas > 0 then
  cursor = number(cursor + 1)
  stamp = string.sub(redis.sha1hex(stamp .. request), 1, 16)
  for _, one in ipairs({ hosts, placements, addresses, loads, counts }) do one.write() end
  redis.call('SET', KEYS[2], cursor .. ' ' .. stamp)
  redis.call('XADD', KEYS[10], 'MAXLEN', '~', ARGV[6], cursor .. '-0', 's', stamp, 'd', '[' .. table.concat(deltas, ',') .. ']')
  redis.call('PUBLISH', ARGV[7], cursor)
end
local reply = '{"cursor":' .. cursor .. ',"verdicts":[' .. table.concat(verdicts, ',') .. ']}'

local time = redis.call('TIME')
local ms = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('HSET', KEYS[8], request, reply)
redis.call('ZADD', KEYS[9], ms, request)
local surplus = redis.call('ZCARD', KEYS[9]) - tonumber(ARGV[4])
local old = surplus > 0 and redis.call('ZRANGE', KEYS[9], 0, math.min(surplus, 100) - 1) or {}
if #old == 0 then old = redis.call('ZRANGE', KEYS[9], '-inf', number(ms - ARGV[5]), 'BYSCORE', 'LIMIT', 0, 100) end
if #old > 0 then
  redis.call('ZREM', KEYS[9], unpack(old))
  redis.call('HDEL', KEYS[8], unpack(old))
end
return reply
