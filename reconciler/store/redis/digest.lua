#!lua flags=no-writes
-- Says in a few bytes what stands in some fields of a hash, for who keeps a copy of it.
--
-- KEYS [1] cursor "NUMBER STAMP"  [2] hash
-- ARGV [1] names of fields, at most a thousand, with a newline between them
-- Reply: [1] the cursor, empty before the first commit  [2] SHA-1 of the values in that order with a newline between them, "-" where there is none

local names, values = {}, {}
for name in string.gmatch(ARGV[1], '[^\n]+') do names[#names + 1] = name end
for index, value in ipairs(redis.call('HMGET', KEYS[2], unpack(names))) do values[index] = value or '-' end
return { redis.call('GET', KEYS[1]) or '', redis.sha1hex(table.concat(values, '\n')) }
