-- KEYS: 1 the participant's record. ARGV: 1 how long to remember, in ms.
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local known = redis.call('HMGET', KEYS[1], 'born', 'horizon', 'remember')
if not known[1] then
  redis.call('HSET', KEYS[1], 'born', now, 'horizon', 0, 'remember', ARGV[1])
elseif known[3] ~= ARGV[1] then
  -- What was remembered for a shorter time may be gone already.
  redis.call('HSET', KEYS[1], 'horizon', math.max(tonumber(known[2]), now - tonumber(known[3])), 'remember', ARGV[1])
end
return {'ok'}
