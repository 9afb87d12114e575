#!lua
-- Stores what the leader says of the whole.
--
-- KEYS [1] incarnation  [2] notice  [3] the lease that it is written under, where there is one
-- ARGV [1] incarnation  [2] body  [3] holder of the lease  [4] its fence
-- Reply: 1 stored; -1 the store has another incarnation; -2 the lease is not held any more as it was. Idempotent.

if redis.call('GET', KEYS[1]) ~= ARGV[1] then return -1 end
if KEYS[3] then
  local holder, fence = unpack(redis.call('HMGET', KEYS[3], 'holder', 'fence'))
  if holder ~= ARGV[3] or fence ~= ARGV[4] then return -2 end
end
redis.call('SET', KEYS[2], ARGV[2])
return 1
