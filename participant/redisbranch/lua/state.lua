-- What is known of the branch. Every script begins with this.
-- KEYS: 1 the participant's record, 2 the branch's, 3 the set of the
-- coordinator's open branches; the rest are the payload's.
-- ARGV: 1 the transaction, 2 its time in ms, 3 the payload; the rest are the
-- payload's.
local record, branch, open = KEYS[1], KEYS[2], KEYS[3]
local id, time, payload = ARGV[1], tonumber(ARGV[2]), ARGV[3]

local known = redis.call('HMGET', record, 'born', 'horizon', 'remember')
if not known[1] then return {'lost'} end
local born, horizon, remember = tonumber(known[1]), tonumber(known[2]), tonumber(known[3])

local held = redis.call('HMGET', branch, 'state', 'payload', 'step', 'text')
local state = held[1] or 'unknown'

-- Asked after the record, which cannot have expired later than now.
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)

-- An unknown branch may have been known once: a record lasts until 'remember'
-- after the later of the transaction's time and its own, so none is gone while
-- this is false.
local forgotten = state == 'unknown' and (time < born or time < horizon or time + remember <= now)

-- settle records the outcome, for as long as it is remembered.
local function settle(outcome)
  redis.call('DEL', branch)
  redis.call('HSET', branch, 'state', outcome)
  redis.call('PEXPIREAT', branch, math.max(now, time) + remember)
  redis.call('SREM', open, id)
  return {'ok'}
end
