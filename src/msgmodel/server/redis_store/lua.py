"""The Lua scripts of the Redis log.

Rules: a script is atomic and uses the keys of one stream: meta, log, lease. The one that begins
a stream also adds it to the running streams of its owner. The scripts that renew a lease or
write an end may run when Redis is full.
"""

ALSO_IF_FULL = "#!lua flags=allow-oom\n"
BEGIN_STREAM = """
local token = redis.call('HGET', KEYS[1], 'token')
if token then return token == ARGV[1] and 1 or 0 end
redis.call('HSET', KEYS[1], 'token', ARGV[1], 'head', ARGV[2], 'process', ARGV[3], 'last', 0, 'ended', 0)
redis.call('PEXPIRE', KEYS[1], ARGV[5])
redis.call('SET', KEYS[3], ARGV[1], 'PX', ARGV[4])
redis.call('ZADD', KEYS[4], redis.call('TIME')[1], ARGV[6])
redis.call('PEXPIRE', KEYS[4], ARGV[5])
return 1
"""
FIND_STREAM = """
local meta, log = redis.call('HMGET', KEYS[1], 'head', 'last', 'ended'), KEYS[2]
local instance = meta[1] and cjson.decode(meta[1])[4]
if instance then log = log .. ':' .. instance end
return {meta, redis.call('EXISTS', log)}
"""
APPEND_LINES = """
if redis.call('HGET', KEYS[1], 'token') ~= ARGV[1] then return 0 end
local last = redis.call('HGET', KEYS[1], 'last')
local kept = last == '0' or redis.call('EXISTS', KEYS[2]) == 1
if kept and last == ARGV[8] and last ~= ARGV[2] then
  redis.call('XADD', KEYS[2], ARGV[2] .. '-0', 'lines', ARGV[3])
  redis.call('HSET', KEYS[1], 'last', ARGV[2])
elseif not kept or last ~= ARGV[2] then
  redis.call('DEL', KEYS[3])
  return 0
end
redis.call('HSET', KEYS[1], 'ended', ARGV[4])
redis.call('PEXPIRE', KEYS[2], ARGV[6])
redis.call('PEXPIRE', KEYS[1], ARGV[7])
if ARGV[4] == '1' then redis.call('DEL', KEYS[3]) else redis.call('SET', KEYS[3], ARGV[1], 'PX', ARGV[5]) end
return 1
"""
TAKE_OVER_STREAM = (
    ALSO_IF_FULL
    + """
if redis.call('EXISTS', KEYS[3]) == 1 or redis.call('HGET', KEYS[1], 'ended') ~= '0' then return 0 end
if redis.call('HGET', KEYS[1], 'last') ~= ARGV[2] then return 0 end
redis.call('HSET', KEYS[1], 'token', ARGV[1])
return 1
"""
)
