if state == 'committed' then return {'ok'} end
if state == 'rolled back' then return {state} end
if state == 'unknown' then
  -- Prepared branches are never dropped: one that is forgotten was committed,
  -- unless it is older than all that is known.
  if forgotten and time >= born then return {'ok'} end
  return {'not prepared'}
end
if payload ~= held[2] then return {'payload', held[2]} end
whateverMemory()
local failed = run('Confirm')
if failed then return failed end
return settle('committed')
