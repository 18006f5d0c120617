-- A step that wrote and then failed is for a person to mend.
if state == 'torn' then return {state, held[3], held[4]} end

-- run makes the step's effect, and returns nil, or what to answer where the
-- step did not succeed. Redis does not undo what a failing script wrote, so
-- what the step called is noted: once it has written, its branch is torn.
local function run(step)
  local called = {}
  local function noting(call)
    return function(...)
      local reply = call(...)
      if type(reply) ~= 'table' or not reply.err then called[(...)] = true end
      return reply
    end
  end
  local noted = setmetatable({call = noting(redis.call), pcall = noting(redis.pcall)}, {__index = redis})
  local ok, answer = pcall(effect, noted, {unpack(KEYS, 4)}, {unpack(ARGV, 4)})
  local text = type(answer) == 'table' and answer.err
  if ok and not text then return nil end
  text = text or tostring(answer)

  redis.setresp(2) -- which the step may have changed
  local function writes(name)
    local info = redis.pcall('COMMAND', 'INFO', name)
    if info.err or not info[1] then return true end
    local flags, subcommands = info[1][3], info[1][10]
    if subcommands and #subcommands > 0 then return true end -- the flags are with those
    for _, flag in ipairs(flags) do
      if flag.ok == 'write' then return true end
    end
    return false
  end
  for name in pairs(called) do
    if writes(name) then
      redis.call('HSET', branch, 'state', 'torn', 'step', step, 'text', text)
      redis.call('PERSIST', branch)
      redis.call('SADD', open, id)
      return {'torn', step, text}
    end
  end
  return {ok and 'refused' or 'failed', step, text}
end

-- Redis refuses a script's first write when it is out of memory, and no later
-- one. Where the branch must be finished, this is the first.
local function whateverMemory() redis.call('SREM', open, '') end
