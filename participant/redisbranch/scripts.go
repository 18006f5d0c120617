package redisbranch

import (
	"context"
	_ "embed"
	"strings"

	"github.com/redis/go-redis/v9"
)

// The scripts' parts. Each script of a branch is the user's step as a function,
// state, run, and what is the call's own.
var (
	//go:embed lua/state.lua
	stateLua string
	//go:embed lua/run.lua
	runLua string
	//go:embed lua/prepare.lua
	prepareLua string
	//go:embed lua/confirm.lua
	confirmLua string
	//go:embed lua/cancel.lua
	cancelLua string
	//go:embed lua/do.lua
	doLua string
	//go:embed lua/undo.lua
	undoLua string
	//go:embed lua/open.lua
	openLua string
	//go:embed lua/indoubt.lua
	inDoubtLua string
	//go:embed lua/mend.lua
	mendLua string
)

var (
	openScript    = redis.NewScript(openLua)
	inDoubtScript = redis.NewScript(inDoubtLua)
	mendScript    = redis.NewScript(stateLua + mendLua)
)

// script is a step of the user's in its barrier.
type script struct {
	step string
	*redis.Script
}

func newScript(step, effect, own string) script {
	// The step's redis, KEYS and ARGV are parameters, and it comes first: so nothing
	// of the script's own is in its reach, and Redis counts its lines from 1.
	function := "local function effect(redis, KEYS, ARGV) " + effect + "\nend\n"
	return script{step, redis.NewScript(strings.Join([]string{function, stateLua, runLua, own}, "\n"))}
}

// load has Redis compile the step.
func (s script) load(ctx context.Context, client redis.Scripter) error {
	err := s.Load(ctx, client).Err()
	if err != nil && strings.Contains(err.Error(), "compiling script") {
		return &ScriptError{Step: s.step, Reason: err.Error()}
	}
	return err
}
