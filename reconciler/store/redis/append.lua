#!lua
-- Adds entries behind the head of a writer's chain: all of them or none.
--
-- KEYS [1] entries (stream: SEQ-0 -> hash, line)  [2] start (hash: seq, hash; what the first kept entry follows, once any was dropped)
-- ARGV [1] seq of the head to add behind  [2] its hash  [3] entries kept  [4] channel  [5] anew: in place of what is there, else
--      empty, then hash and line of each entry, in order
-- Reply: nothing when they are in the chain; {seq, hash} of the head when that is another one, and nothing was added.
-- Idempotent: entries that are there already behind that head are not added again.

local seq = tonumber(ARGV[1])
local function id(number) return string.format('%.0f-0', number) end

local first = redis.call('XRANGE', KEYS[1], id(seq + 1), id(seq + 1))[1]
if first and first[2][2] == ARGV[6] then return false end
local last = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)[1]
local head = last and { string.match(last[1], '^%d+'), last[2][2] } or { '0', string.rep('0', 64) }
if ARGV[5] == 'anew' then
  redis.call('XTRIM', KEYS[1], 'MAXLEN', 0)
  redis.call('HSET', KEYS[2], 'seq', ARGV[1], 'hash', ARGV[2])
elseif head[1] ~= ARGV[1] or head[2] ~= ARGV[2] then
  return head
end

for at = 6, #ARGV, 2 do
  seq = seq + 1
  redis.call('XADD', KEYS[1], id(seq), 'hash', ARGV[at], 'line', ARGV[at + 1])
end
-- a tenth more is let stand, so that not every append drops something
local keep = tonumber(ARGV[3])
if redis.call('XLEN', KEYS[1]) > keep * 1.1 then
  local dropped = redis.call('XREVRANGE', KEYS[1], id(seq - keep), '-', 'COUNT', 1)[1]
  if dropped then
    redis.call('HSET', KEYS[2], 'seq', (string.match(dropped[1], '^%d+')), 'hash', dropped[2][2])
    redis.call('XTRIM', KEYS[1], 'MINID', id(seq - keep + 1))
  end
end
redis.call('PUBLISH', ARGV[4], id(seq))
return false
