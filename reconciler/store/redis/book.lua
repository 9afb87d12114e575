#!lua
-- Stands before commit.lua: the reservations of a fleet as one script sees and changes them, the counterpart of reconciler/model/book.ts.
-- Each hash is read a field once, or many in one call, and written at the end; sums and counters are kept with the placements.
-- KEYS [3] to [7] are those of commit.lua. Leaves `deltas`, what has changed as JSON.

local RESOURCES = { 'cpu', 'memory', 'pids', 'disk', 'spindles',
  'node0', 'node1', 'node2', 'node3', 'node4', 'node5', 'node6', 'node7' }
local PLACE = {}
for index, resource in ipairs(RESOURCES) do PLACE[resource] = index end

-- all digits of a double, so that it comes back as the same number; those of a whole one are written much sooner, and many come again
local digits = {}
local function number(value)
  local text = digits[value]
  if not text then
    local whole = value % 1 == 0 and value < 1e15 and value > -1e15
    text = string.format(whole and '%d' or '%.17g', value)
    digits[value] = text
  end
  return text
end

-- a name as canonical JSON, in which a slash stays as it is
local function quoted(name)
  if not string.find(name, '[%c"\\]') then return '"' .. name .. '"' end
  return (string.gsub(cjson.encode(name), '\\/', '/'))
end

-- how to take back what is set; nil while nobody would
local undo

-- what there is between two words of a list, for `unpack` knows no more than some thousand
local function pieces(list)
  local from = -999
  return function()
    from = from + 1000
    if from <= #list then return from, math.min(from + 999, #list) end
  end
end

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
      local new = {}
      for _, field in ipairs(fields) do
        if seen[field] == nil then
          seen[field] = false
          new[#new + 1] = field
        end
      end
      for from, to in pieces(new) do
        for index, value in ipairs(redis.call('HMGET', key, unpack(new, from, to))) do seen[new[from + index - 1]] = value end
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
      for field in pairs(changed) do
        local value = seen[field]
        if value then
          set[#set + 1] = field
          set[#set + 1] = value
        else
          removed[#removed + 1] = field
        end
      end
      for from, to in pieces(set) do redis.call('HSET', key, unpack(set, from, to)) end
      for from, to in pieces(removed) do redis.call('HDEL', key, unpack(removed, from, to)) end
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

-- a host's sums, and the text that they are from, in which behind them stands how many placements each App has there: it is edited in place,
-- since Redis hashes every string that Lua makes, whole
local touched = {}
local function loadOf(host)
  local load = touched[host]
  if not load then
    local text = loads.get(host)
    local cpu, memory, pids, more = string.match(text or '0 0 0 ', '^(%S+) (%S+) (%S+) ([^,]*)')
    load = { tonumber(cpu), tonumber(memory), tonumber(pids), text = text or '' }
    for sum in string.gmatch(more, '%S+') do load[#load + 1] = tonumber(sum) end
    touched[host] = load
  end
  return load
end

local function residentsOf(host) return '{' .. (string.match(loadOf(host).text, ',(.*)$') or '') .. '}' end

-- the count of an App, the words in front of it, and where both stand; a quote inside a name is escaped, so no other name fits
local function findApp(text, app)
  local key = ',' .. quoted(app) .. ':'
  local from, to = string.find(text, key, 1, true)
  if not from then return 0, key end
  local count = string.match(text, '^%d+', to + 1)
  return tonumber(count), key, from, to + #count
end

local function countOf(app, level, domain)
  if level == 'host' then return (findApp(loadOf(domain).text, app)) end
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
local function sumsText(load)
  local last = #load
  while last > 3 and load[last] == 0 do last = last - 1 end
  local text = number(load[1]) .. ' ' .. number(load[2]) .. ' ' .. number(load[3]) .. ' '
  for index = 4, last do text = text .. number(load[index]) .. ' ' end
  return text
end

-- counts a placement of an App on a host, or with -1 no longer
local function add(app, host, demand, sign)
  local load = loadOf(host)
  for resource, amount in pairs(demand) do
    local index = PLACE[resource]
    if index then
      for unsaid = #load + 1, index do load[unsaid] = 0 end
      load[index] = load[index] + sign * amount
    end
  end
  local count, key, from, to = findApp(load.text, app)
  local entry = count + sign ~= 0 and key .. number(count + sign) or ''
  if from then load.text = string.sub(load.text, 1, from - 1) .. string.sub(load.text, to + 1) end
  local start = sumsText(load) .. entry
  load.text = string.gsub(load.text, '^[^,]*', function() return start end, 1)
  local empty = not string.find(load.text, ',', 1, true)
  if empty then touched[host] = nil end
  loads.set(host, not empty and load.text)
  addDomains(hostOf(host), app, sign)
end

-- what has changed as JSON, in pieces that are put together once
local deltas = {}
local function tell(kind, name, member, json)
  local count = #deltas
  deltas[count + 1], deltas[count + 2] = count == 0 and '[' or ',', kind
  deltas[count + 3] = quoted(name)
  if json then deltas[count + 4], deltas[count + 5] = member, json end
  deltas[#deltas + 1] = '}'
end

local function setHost(host, json)
  local old, new = hostOf(host), decoded(json)
  if (old and old.rack) ~= (new and new.rack) or (old and old.switch) ~= (new and new.switch) then
    for app, count in pairs(cjson.decode(residentsOf(host))) do
      addDomains(old, app, -count)
      addDomains(new, app, count)
    end
  end
  hosts.set(host, json)
  tell('{"type":"host","host":', host, ',"record":', json)
end

local function setPlacement(replica, json)
  placements.set(replica, json)
  tell('{"type":"placement","replica":', replica, ',"placement":', json)
end

local function setAddress(key, json)
  addresses.set(key, json)
  tell('{"type":"address","key":', key, ',"record":', json)
end
