package redisbranch

import (
	"context"
	"fmt"

	"github.com/google/uuid"
	"github.com/redis/go-redis/v9"

	"github.com/seed-d36415c0/dtc/participant"
)

// TCC are the steps of a two-phase participant, each the body of a Lua function.
type TCC struct {
	// Try makes sure that the branch can go either way: it checks, and reserves.
	Try string
	// Confirm makes what Try reserved permanent.
	Confirm string
	// Cancel gives back what Try reserved. It is run only after a Try.
	Cancel string
}

// TwoPhase is a participant in two phases. Its methods may be called by many
// goroutines and processes.
type TwoPhase struct {
	*base
	try, confirm, cancel script
}

var (
	_ participant.Preparer  = (*TwoPhase)(nil)
	_ participant.Recoverer = (*TwoPhase)(nil)
)

// OpenTCC opens the participant with this name, or makes it, and checks the
// client, the server's settings and that the steps are Lua: see [*ClientError],
// [*SettingError], [*ScriptError] and [*OptionError]. The client stays the
// caller's, and must be open for as long as the participant is used. A nil
// Options means the zero one.
func OpenTCC(ctx context.Context, name string, client redis.UniversalClient, steps TCC, o *Options) (*TwoPhase, error) {
	p := &TwoPhase{
		try:     newScript("Try", steps.Try, prepareLua),
		confirm: newScript("Confirm", steps.Confirm, confirmLua),
		cancel:  newScript("Cancel", steps.Cancel, cancelLua),
	}
	var err error
	if p.base, err = open(ctx, name, client, o, p.try, p.confirm, p.cancel); err != nil {
		return nil, err
	}
	return p, nil
}

// Prepare implements participant.Preparer: it runs Try. It refuses with
// [*RefusedError], [*ScriptError], [*PayloadError] or [*IDError], which leave no
// trace, or with [*TornError].
func (p *TwoPhase) Prepare(ctx context.Context, b participant.Branch) error {
	return p.begin(ctx, p.try, b)
}

// Commit implements participant.Participant: it runs Confirm.
func (p *TwoPhase) Commit(ctx context.Context, b participant.Branch) error {
	return p.finish(ctx, p.confirm, b)
}

// Rollback implements participant.Participant: it runs Cancel where the branch is
// prepared. It refuses a committed branch with participant.ErrCommitted.
func (p *TwoPhase) Rollback(ctx context.Context, b participant.Branch) error {
	return p.finish(ctx, p.cancel, b)
}

// InDoubt implements participant.Recoverer: prepared branches, and torn ones.
func (p *TwoPhase) InDoubt(ctx context.Context, coordinator string) ([]uuid.UUID, error) {
	ids, err := p.inDoubt(ctx, coordinator)
	if err != nil {
		return nil, fmt.Errorf("redisbranch: in doubt: %w", err)
	}
	return ids, nil
}

func (p *TwoPhase) inDoubt(ctx context.Context, coordinator string) ([]uuid.UUID, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	reply, err := inDoubtScript.Run(ctx, p.client, []string{p.record(), p.openSet(coordinator)}).Slice()
	if err != nil {
		return nil, err
	}
	a := answer(reply)
	if err := a.err(uuid.Nil); err != nil {
		return nil, err
	}
	ids := make([]uuid.UUID, len(a)-1)
	for i := range ids {
		if ids[i], err = uuid.Parse(a.text(1 + i)); err != nil {
			return nil, err
		}
	}
	return ids, nil
}

// Saga are the steps of a one-phase participant, each the body of a Lua
// function.
type Saga struct {
	// Do does the branch's work.
	Do string
	// Undo compensates it. It is run only after a Do.
	Undo string
}

// OnePhase is a participant in one phase. Its methods may be called by many
// goroutines and processes.
type OnePhase struct {
	*base
	do, undo script
}

var _ participant.Participant = (*OnePhase)(nil)

// OpenSaga is [OpenTCC] for a participant in one phase.
func OpenSaga(ctx context.Context, name string, client redis.UniversalClient, steps Saga, o *Options) (*OnePhase, error) {
	p := &OnePhase{do: newScript("Do", steps.Do, doLua), undo: newScript("Undo", steps.Undo, undoLua)}
	var err error
	if p.base, err = open(ctx, name, client, o, p.do, p.undo); err != nil {
		return nil, err
	}
	return p, nil
}

// Commit implements participant.Participant: it runs Do. It refuses as
// [TwoPhase.Prepare] does.
func (p *OnePhase) Commit(ctx context.Context, b participant.Branch) error {
	return p.begin(ctx, p.do, b)
}

// Rollback implements participant.Participant: it runs Undo where Do was run.
func (p *OnePhase) Rollback(ctx context.Context, b participant.Branch) error {
	return p.finish(ctx, p.undo, b)
}
