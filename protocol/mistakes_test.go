package protocol

import "testing"

// mistake is one that is planted into the protocol or its driver, so that a
// search has something to find. The zero mistake is none.
type mistake struct {
	// before changes what the transaction knows, or hears, before a step.
	before func(t *Transaction, e *Event)
	// hears changes any event, also those that should mean nothing.
	hears func(t *Transaction, e *Event)
	// unforced is the record that is not forced at all, though taken to be.
	unforced Record
	// early is the record that is taken to be forced at once.
	early Record
	// recovers changes which record is found.
	recovers func(Record) Record
	// endless: no end is ever written.
	endless bool
}

var mistakes = map[string]mistake{
	"the commit record is not forced":              {unforced: CommitRecord},
	"the intent record is not forced":              {unforced: IntentRecord},
	"the delegation record is not forced":          {unforced: DelegationRecord},
	"the rollback record is not forced":            {unforced: RollbackRecord},
	"the enlistment record is not forced":          {unforced: EnlistmentRecord},
	"commit is told before the record is forced":   {early: CommitRecord},
	"prepare is asked before the intent is forced": {early: IntentRecord},
	"the branch decides before that is forced":     {early: DelegationRecord},
	"the end is never written":                     {endless: true},
	"a commit record is recovered as a rollback":   {recovers: swap(CommitRecord, RollbackRecord)},
	"an intent record is recovered as a commit":    {recovers: swap(IntentRecord, CommitRecord)},
	"a delegation record is recovered as a no":     {recovers: swap(DelegationRecord, RollbackRecord)},

	"no intent record": {before: on(AskCommit, func(t *Transaction, _ *Event) { t.covered = len(t.branches) })},
	"a failed commit record is a no": {before: on(ForceFailed, func(t *Transaction, e *Event) {
		if t.state == Deciding {
			t.state, e.Kind = Preparing, AskRollback
		}
	})},
	"a failed force is ignored": {before: on(ForceFailed, func(_ *Transaction, e *Event) { e.Kind = Forced })},
	"one acknowledgement is enough": {before: on(Answered, func(t *Transaction, _ *Event) {
		for i := range t.branches {
			t.branches[i].done = t.branches[i].done || t.state == Committing || t.state == RollingBack
		}
	})},
	"one vote is enough": {before: on(Answered, func(t *Transaction, _ *Event) {
		for i := range t.branches {
			if b := &t.branches[i]; t.state == Preparing && b.pending && b.TwoPhase {
				b.vote = yes
			}
		}
	})},
	"the deadline stops what is being decided": {before: on(Deadline, func(t *Transaction, _ *Event) {
		if t.state == Deciding {
			t.state = Preparing
		}
	})},
	"a rollback while committing": {before: on(AskRollback, func(t *Transaction, _ *Event) {
		if t.state == Committing {
			t.state = Preparing
		}
	})},
	"a vote that does not come is a yes": {before: answered(Prepare, TimedOut, func(_ *Transaction, e *Event) { e.Result = Done })},
	"a refusal is a yes":                 {before: answered(Prepare, Failed, func(_ *Transaction, e *Event) { e.Result = Done })},
	"a refusal is not heard":             {before: answered(Prepare, Failed, func(_ *Transaction, e *Event) { e.Attempt = 99 })},
	"a failed commit is acknowledged":    {before: answered(Commit, Failed, func(_ *Transaction, e *Event) { e.Result = Done })},
	"a failed rollback is acknowledged":  {before: answered(Rollback, Failed, func(_ *Transaction, e *Event) { e.Result = Done })},
	"any answer is taken for the last call's": {hears: on(Answered, func(t *Transaction, e *Event) {
		if t.has(e.Branch) {
			e.Attempt = t.branches[e.Branch].attempt
		}
	})},
	"doubt about a delegated branch is a no": {before: answered(CommitOnePhase, TimedOut, func(_ *Transaction, e *Event) {
		e.Result = WasRolledBack
	})},
	"what has been done is not undone": {before: on(Answered, func(t *Transaction, _ *Event) {
		for i := range t.branches {
			t.branches[i].settled = t.branches[i].vote == worked
		}
	})},
	"who left is not remembered to have left": {before: on(Answered, func(t *Transaction, _ *Event) {
		for i := range t.branches {
			if t.branches[i].vote == readOnly {
				t.branches[i].vote, t.branches[i].done = yes, false
			}
		}
	})},
	"parked without a record": {before: on(WaitOver, func(t *Transaction, _ *Event) {
		t.covered, t.delegated = len(t.branches), false
	})},
	"nothing was recorded": {before: on(Answered, func(t *Transaction, _ *Event) { t.recorded = false })},
	"a delegation record counts as the enlistment's": {before: on(AskRollback, func(t *Transaction, _ *Event) {
		t.delegated = false
	})},
	"a late branch is like any other": {before: func(t *Transaction, _ *Event) {
		for i := range t.branches {
			t.branches[i].stray = false
		}
	}},
	"speaks on when fenced off": {before: on(ForceFailed, func(_ *Transaction, e *Event) { e.Fenced = false })},
	"never stops waiting":       {before: on(WaitOver, func(_ *Transaction, e *Event) { e.Kind = 0 })},
}

func swap(found, taken Record) func(Record) Record {
	return func(r Record) Record {
		if r == found {
			return taken
		}
		return r
	}
}

func on(k EventKind, f func(*Transaction, *Event)) func(*Transaction, *Event) {
	return func(t *Transaction, e *Event) {
		if e.Kind == k {
			f(t, e)
		}
	}
}

// answered is on an answer to the branch's last call.
func answered(op Op, r Result, f func(*Transaction, *Event)) func(*Transaction, *Event) {
	return on(Answered, func(t *Transaction, e *Event) {
		if t.has(e.Branch) && t.branches[e.Branch].op == op && e.Result == r {
			f(t, e)
		}
	})
}

// TestEveryMistakeIsFound plants mistakes, and fails when the search that is to
// prove the protocol right finds nothing wrong with one.
func TestEveryMistakeIsFound(t *testing.T) {
	for name, planted := range mistakes {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, s := range settings {
				if _, err := search(s, planted); err != nil {
					t.Logf("%s: %v", s.name, err)
					return
				}
			}
			t.Error("nothing found")
		})
	}
}
