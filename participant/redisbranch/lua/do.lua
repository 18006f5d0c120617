if state == 'rolled back' then return {state} end
if state == 'committed' then return {'ok'} end
if forgotten then return {'forgotten'} end
local failed = run('Do')
if failed then return failed end
redis.call('HSET', branch, 'state', 'committed', 'payload', payload)
redis.call('PEXPIREAT', branch, math.max(now, time) + remember)
return {'ok'}
