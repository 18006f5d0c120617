-- KEYS: 1 the participant's record, 2 the set of the coordinator's open branches.
if redis.call('EXISTS', KEYS[1]) == 0 then return {'lost'} end
return {'ok', redis.call('SMEMBERS', KEYS[2])}
