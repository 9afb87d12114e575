#!lua
-- The right to act for a while, of one name.
--
-- KEYS [1] lease (hash: holder, fence, expires; the fence outlives its holder)
-- ARGV [1] now in ms, or empty for the server's own time  [2] acquire | release | get  [3] holder or, to get one that ran out as well, lapsed  [4] ttl in ms or, to release, the fence
-- Reply: {holder, fence, expires} as it stands now, or nothing: held by another when acquiring, by nobody when asking.
-- Idempotent: the holder's own call renews it and keeps the fence, also when it ran out and nobody else had it since.

local time = redis.call('TIME')
local now = tonumber(ARGV[1]) or time[1] * 1000 + math.floor(time[2] / 1000)
local holder, fence, expires = unpack(redis.call('HMGET', KEYS[1], 'holder', 'fence', 'expires'))
local alive = holder and tonumber(expires) > now

if ARGV[2] == 'get' then return holder and (alive or ARGV[3] == 'lapsed') and { holder, fence, expires } end

if ARGV[2] == 'release' then
  if holder == ARGV[3] and fence == ARGV[4] then redis.call('HDEL', KEYS[1], 'holder', 'expires') end
  return false
end

if alive and holder ~= ARGV[3] then
  -- for longer than anybody asks: given by a clock that went ahead, as that of a master that failed may have
  if tonumber(expires) > now + ARGV[4] then redis.call('HSET', KEYS[1], 'expires', string.format('%.17g', now + ARGV[4])) end
  return false
end
if holder ~= ARGV[3] then fence = string.format('%.17g', (fence or 0) + 1) end
expires = string.format('%.17g', now + ARGV[4])
redis.call('HSET', KEYS[1], 'holder', ARGV[3], 'fence', fence, 'expires', expires)
return { ARGV[3], fence, expires }
