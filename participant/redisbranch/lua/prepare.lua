if state == 'rolled back' then return {state} end
if state ~= 'unknown' then return {'ok'} end
if forgotten then return {'forgotten'} end
local failed = run('Try')
if failed then return failed end
redis.call('HSET', branch, 'state', 'prepared', 'payload', payload)
redis.call('SADD', open, id)
return {'ok'}
