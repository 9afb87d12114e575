-- Decides a request on the reservations of a fleet, behind book.lua: the translation of reconciler/model/decide.ts. Everything is read and decided
-- first and written last, so that an error on the way leaves nothing half done.
--
-- KEYS [1] incarnation  [2] cursor "NUMBER STAMP"  [3] hosts (host -> record)  [4] placements (replica -> placement)
--      [5] addresses (network/address or block -> record)  [6] loads (host -> sums in the order of RESOURCES, at least three, then ,"APP":PLACEMENTS…)
--      [7] counts (level/app/domain -> placements)  [8] replies (request -> reply)  [9] replied (requests by time)  [10] log (stream)
--      [11] the lease that it is written under, where there is one
-- ARGV [1] incarnation  [2] request id  [3] now, ms  [4] replies kept  [5] ms they are kept  [6] commits kept in the log  [7] channel
--      [8] holder of the lease  [9] its fence, both empty without one, then the proposals, each word a name or canonical JSON, or nothing:
--      host NAME RECORD | forget-host NAME | resize REPLICA DEMAND | release REPLICA UNTIL | yield REPLICA EPOCH TO-OR-NOTHING |
--      place REPLICA HOST HOST-EPOCH ADDRESS BLOCK-OR-NOTHING | move REPLICA HOST HOST-EPOCH ADDRESS |
--      gang N, with the N places that follow: all of them or none.
--      Before a place or move stands what it has in common with those behind it, where that is not as before:
--      app NAME ZONE NETWORK DEMAND EPOCH FROM-OR-NOTHING YIELDS-OR-NOTHING LIMITS
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

local LEVELS = { 'switch', 'rack', 'host' }
local NOTHING = {}

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
    if index and wants > had and (load[index] or 0) - had + wants > (record.allocatable[resource] or 0) then
      first = math.min(first or index, index)
    end
  end
  if not first then return nil end
  local resource = RESOURCES[first]
  local used, most = load[first] or 0, record.allocatable[resource] or 0
  return conflict('capacity', '{"resource":"' .. resource .. '","used":' .. number(used) .. ',"allocatable":' .. number(most) .. '}')
end

local function addressConflict(key)
  local record = decoded(addresses.get(key))
  if not record or record.zone then return nil end
  if record.replica then return conflict('address-owned', quoted(record.replica)) end
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
    if addressConflict(network .. '/' .. text) then return conflict('block-leased', quoted(record.zone)) end
  end
end

-- what a placing has in common with those behind it, by where that stands; `head`, `middle` and `tail` are of the placement as JSON
local commons = {}
local function commonAt(at)
  local common = commons[at]
  if common then return common end
  local app, zone, network, demand, epoch, from, yields, limits = unpack(ARGV, at + 1, at + 8)
  commons[at] = {
    app = app, zone = zone, network = network, demand = decoded(demand), epoch = tonumber(epoch), limits = limits ~= '{}' and decoded(limits),
    head = ',"app":' .. quoted(app) .. ',"demand":' .. demand .. ',"epoch":' .. epoch .. (from ~= '' and ',"from":' .. from or '') .. ',"host":',
    middle = ',"network":' .. quoted(network) .. ',"replica":',
    tail = (yields ~= '' and ',"yields":' .. yields or '') .. ',"zone":' .. quoted(zone) .. '}',
  }
  return commons[at]
end

local common -- of the proposal that is decided
local function placementText(replica, host, address)
  return '{"address":' .. quoted(address) .. common.head .. quoted(host) .. common.middle .. quoted(replica) .. common.tail
end

-- the conflict when a host is to take a replica, which takes with it what it has at `old`
local function hostConflict(host, epoch, old)
  local record = hostOf(host)
  if not record then return conflict('no-host') end
  if record.state ~= 'open' then return conflict('host-closed', quoted(record.state)) end
  if record.zone ~= common.zone then return conflict('wrong-zone', quoted(record.zone)) end
  if record.epoch ~= tonumber(epoch) then return conflict('epoch', number(record.epoch)) end
  return overflow(record, old and old.host == host and old.demand or NOTHING, common.demand)
end

-- the conflict when too many of an App, or the wrong others, are where a replica of it goes, which leaves its place at `old`
local function limitConflict(host, old)
  local limits = common.limits
  if not limits then return nil end
  local record, left = hostOf(host), old and hostOf(old.host)
  for _, level in ipairs(LEVELS) do
    local limit, domain = limits[level], record[level]
    local count = limit and countOf(common.app, level, domain) - (left and left[level] == domain and 1 or 0)
    if limit and count >= limit then
      return conflict('spread', '{"level":"' .. level .. '","count":' .. number(count) .. ',"limit":' .. number(limit) .. '}')
    end
  end
  local function told(reason, one)
    return conflict(reason, '{"app":' .. quoted(one.app) .. ',"within":"' .. one.within .. '"}')
  end
  for _, one in ipairs(limits.near or NOTHING) do
    if countOf(one.app, one.within, record[one.within]) == 0 then return told('affinity', one) end
  end
  for _, one in ipairs(limits.apart or NOTHING) do
    if countOf(one.app, one.within, record[one.within]) > 0 then return told('anti-affinity', one) end
  end
end

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
  if loads.get(host) then return conflict('host-in-use', residentsOf(host)) end
  setHost(host, false)
  return ACCEPTED
end

decide['place'] = function(replica, host, epoch, address, block)
  local json = placementText(replica, host, address)
  local old = placements.get(replica)
  if old then return old == json and ACCEPTED or conflict('placed-elsewhere', old) end
  local zone, network = common.zone, common.network
  local key, range = network .. '/' .. address, block ~= '' and network .. '/' .. block
  local lease = range and decoded(addresses.get(range))
  local refused = hostConflict(host, epoch) or addressConflict(key) or range and blockConflict(network, block, lease, zone)
    or limitConflict(host)
  if refused then return refused end
  add(common.app, host, common.demand, 1)
  setPlacement(replica, json)
  setAddress(key, '{"replica":' .. quoted(replica) .. '}')
  if range and (lease and lease.zone) ~= zone then setAddress(range, '{"zone":' .. quoted(zone) .. '}') end
  return ACCEPTED
end

-- the address stays the replica's throughout
decide['move'] = function(replica, host, epoch, address)
  local json = placementText(replica, host, address)
  local before = placements.get(replica)
  if not before then return conflict('not-placed') end
  if before == json then return ACCEPTED end
  local old = decoded(before)
  if old.epoch + 1 ~= common.epoch or old.app ~= common.app or old.zone ~= common.zone
    or old.network ~= common.network or old.address ~= address then
    return conflict('placed-elsewhere', before)
  end
  local refused = hostConflict(host, epoch, old) or limitConflict(host, old)
  if refused then return refused end
  add(old.app, old.host, old.demand, -1)
  add(common.app, host, common.demand, 1)
  setPlacement(replica, json)
  return ACCEPTED
end

local DEMAND = '"demand":'
decide['resize'] = function(replica, demand)
  local old = placements.get(replica)
  if not old then return conflict('not-placed') end
  local placement, wanted = decoded(old), decoded(demand)
  local record = hostOf(placement.host)
  if not record then return conflict('no-host') end
  -- a quote inside a string is escaped, so this is the member and nothing else
  local from, start = string.find(old, DEMAND, 1, true)
  local _, to = string.find(old, '}', start, true)
  if string.sub(old, start + 1, to) == demand then return ACCEPTED end
  local refused = overflow(record, placement.demand, wanted)
  if refused then return refused end
  add(placement.app, placement.host, placement.demand, -1)
  add(placement.app, placement.host, wanted, 1)
  setPlacement(replica, string.sub(old, 1, from - 1) .. DEMAND .. demand .. string.sub(old, to + 1))
  return ACCEPTED
end

decide['release'] = function(replica, rest)
  local placement = decoded(placements.get(replica))
  if not placement then return conflict('not-placed') end
  add(placement.app, placement.host, placement.demand, -1)
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

local WORDS = { ['host'] = 2, ['forget-host'] = 1, ['place'] = 5, ['move'] = 4, ['resize'] = 2, ['release'] = 2, ['yield'] = 3, ['gang'] = 1 }
local at, last

-- what the next proposal is, and where its words begin; then the one behind it is the next
local function nextProposal()
  if ARGV[at] == 'app' then
    common = commonAt(at)
    at = at + 9
  end
  local op, from = ARGV[at], at + 1
  at = from + WORDS[op]
  return op, from
end

-- all of the places that follow, or none: what was done of them is taken back
decide['gang'] = function(members)
  local told, refused = #deltas, nil
  undo = {}
  for _ = 1, members do
    local op, from = nextProposal()
    local verdict = refused or decide[op](unpack(ARGV, from, at - 1))
    if not refused and verdict ~= ACCEPTED then
      refused = conflict('gang', '{"replica":' .. quoted(ARGV[from]) .. ',' .. string.sub(verdict, 2))
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

-- what the placings will ask for, in a few calls instead of some for each
local replicas, names, keys, sums, asking = {}, {}, {}, {}, {}
at, last = 10, #ARGV
while at <= last do
  local op, from = nextProposal()
  if op == 'place' or op == 'move' then
    local count = #replicas + 1
    replicas[count], names[count], asking[count] = ARGV[from], ARGV[from + 1], common.app
    keys[#keys + 1] = common.network .. '/' .. ARGV[from + 3]
    if op == 'place' and ARGV[from + 4] ~= '' then keys[#keys + 1] = common.network .. '/' .. ARGV[from + 4] end
  end
end
hosts.fetch(names)
loads.fetch(names)
placements.fetch(replicas)
addresses.fetch(keys)
for index, app in ipairs(asking) do
  local record = hostOf(names[index])
  if record then
    sums[#sums + 1] = 'switch/' .. app .. '/' .. record.switch
    sums[#sums + 1] = 'rack/' .. app .. '/' .. record.rack
  end
end
counts.fetch(sums)

local verdicts = {}
at = 10
while at <= last do
  local op, from = nextProposal()
  verdicts[#verdicts + 1] = decide[op](unpack(ARGV, from, at - 1))
end

-- from here on it is written
local cursor, stamp = string.match(redis.call('GET', KEYS[2]) or '0 ', '^(%d+) (%x*)$')
if #deltas > 0 then
  deltas[#deltas + 1] = ']'
  cursor = number(cursor + 1)
  stamp = string.sub(redis.sha1hex(stamp .. request), 1, 16)
  for _, one in ipairs({ hosts, placements, addresses, loads, counts }) do one.write() end
  redis.call('SET', KEYS[2], cursor .. ' ' .. stamp)
  redis.call('XADD', KEYS[10], 'MAXLEN', '~', ARGV[6], cursor .. '-0', 's', stamp, 'd', table.concat(deltas))
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
