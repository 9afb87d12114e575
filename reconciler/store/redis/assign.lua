#!lua
-- Stores an Assignment unless a newer generation is there, or another content of the same.
--
-- KEYS [1] incarnation  [2] assignment (hash: body, generation, version: a count, mail: the id of its hint)  [3] mail (stream)  [4] the lease that it is written under, where there is one
-- ARGV [1] incarnation  [2] host  [3] generation  [4] body  [5] mails kept  [6] channel of all hosts  [7] channel of this host
--      [8] holder of the lease  [9] its fence
-- Reply: 1 stored, or there already; 0 a newer generation is there, or another of the same; -1 the store has another incarnation;
-- -2 the lease is not held any more as it was. Idempotent.

if redis.call('GET', KEYS[1]) ~= ARGV[1] then return -1 end
if KEYS[4] then
  local holder, fence = unpack(redis.call('HMGET', KEYS[4], 'holder', 'fence'))
  if holder ~= ARGV[8] or fence ~= ARGV[9] then return -2 end
end
local generation, body = unpack(redis.call('HMGET', KEYS[2], 'generation', 'body'))
if body == ARGV[4] then return 1 end
if generation and tonumber(generation) >= tonumber(ARGV[3]) then return 0 end
redis.call('HSET', KEYS[2], 'generation', ARGV[3], 'body', ARGV[4])
-- followers look at both: a server that lost the last ones gives their counts again, and a controller of the version before only counts
redis.call('HINCRBY', KEYS[2], 'version', 1)
local mail = redis.call('XADD', KEYS[3], 'MAXLEN', '~', ARGV[5], '*', 'host', ARGV[2], 'what', 'assignment')
redis.call('HSET', KEYS[2], 'mail', mail)
redis.call('PUBLISH', ARGV[6], ARGV[2])
redis.call('PUBLISH', ARGV[7], ARGV[2])
return 1
