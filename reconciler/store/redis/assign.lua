#!lua
-- Stores Assignments, each unless a newer generation is there, or another content of the same. Many of them in one script are on the disk by one fsync.
--
-- KEYS [1] incarnation  [2] mail (stream), then for each its own (hash: body, generation, version: a count, mail: the id of its hint), then the lease that
--      they are written under, where there is one
-- ARGV [1] incarnation  [2] mails kept  [3] channel of all hosts  [4] holder of the lease  [5] its fence, then for each: host, generation, body, and the
--      channel of this host
-- Reply: for each 1 stored, or there already; 0 a newer generation is there, or another of the same. Or -1 the store has another incarnation; -2 the lease is
-- not held any more as it was. Idempotent.

if redis.call('GET', KEYS[1]) ~= ARGV[1] then return -1 end
local count = (#ARGV - 5) / 4
local lease = KEYS[count + 3]
if lease then
  local holder, fence = unpack(redis.call('HMGET', lease, 'holder', 'fence'))
  if holder ~= ARGV[4] or fence ~= ARGV[5] then return -2 end
end

local function store(key, host, generation, body, channel)
  local known, there = unpack(redis.call('HMGET', key, 'generation', 'body'))
  if there == body then return 1 end
  if known and tonumber(known) >= tonumber(generation) then return 0 end
  redis.call('HSET', key, 'generation', generation, 'body', body)
  -- followers look at both: a server that lost the last ones gives their counts again, and a controller of the version before only counts
  redis.call('HINCRBY', key, 'version', 1)
  local mail = redis.call('XADD', KEYS[2], 'MAXLEN', '~', ARGV[2], '*', 'host', host, 'what', 'assignment')
  redis.call('HSET', key, 'mail', mail)
  redis.call('PUBLISH', ARGV[3], host)
  redis.call('PUBLISH', channel, host)
  return 1
end

local stored = {}
for one = 1, count do
  stored[one] = store(KEYS[one + 2], unpack(ARGV, 4 * one + 2, 4 * one + 5))
end
return stored
