#!lua flags=no-writes
-- Counts some of the fields of a hash, without sending them.
--
-- KEYS [1] cursor "NUMBER STAMP"  [2] hash
-- ARGV [1] where HSCAN goes on, 0 to begin  [2] about how many fields
-- Reply: [1] the cursor, empty before the first commit  [2] where it goes on, 0 at the end  [3] fields counted

local next, list = unpack(redis.call('HSCAN', KEYS[2], ARGV[1], 'COUNT', ARGV[2]))
return { redis.call('GET', KEYS[1]) or '', next, #list / 2 }
