if state ~= 'torn' then return {'not torn'} end
return settle(held[3] == 'Confirm' and 'committed' or 'rolled back')
