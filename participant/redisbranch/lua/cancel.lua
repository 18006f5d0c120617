if state == 'rolled back' then return {'ok'} end
if state == 'committed' then return {state} end
if state == 'unknown' then return settle('rolled back') end
if payload ~= held[2] then return {'payload', held[2]} end
whateverMemory()
local failed = run('Cancel')
if failed then return failed end
return settle('rolled back')
