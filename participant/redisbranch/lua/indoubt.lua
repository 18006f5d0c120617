-- KEYS: 1 the participant's record, 2 the set of the coordinator's open branches.
if redis.call('EXISTS', KEYS[1]) == 0 then return {'lost'} end
local reply = redis.call('SMEMBERS', KEYS[2])
table.insert(reply, 1, 'ok')
return reply
