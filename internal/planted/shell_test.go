package planted

func init() {
	bugs = append(bugs, driving...)
	bugs = append(bugs, supervising...)
	bugs = append(bugs, answering...)
	bugs = append(bugs, keeping...)
	bugs = append(bugs, repeating...)
}

// contract is the tests of what the façade promises.
func contract(run string) check { return check{name: "contract", pkg: ".", run: "^TestContract" + run} }

// driving are bugs of the actors around the protocol.
var driving = []bug{
	{"the commit record is not forced by the actor", []edit{{"actors/transaction.go",
		"m := messages.Append{Force: true,", "m := messages.Append{Force: a.Record != protocol.CommitRecord,"}}, contract("Costs|Guarantees_PowerFails")},
	{"who waits for the next sync is answered with this one", []edit{{"actors/writer.go",
		"answer(done, m.err)", "answer(append(done, w.writing...), m.err)"}}, check{name: "writer", pkg: "./actors", run: "Writer"}},
	{"something is written after a sync has failed", []edit{{"journal/pebble/pebble.go", `	s.failing.Do(func() {
		s.guard.tripped.Store(true)
`, `	s.failing.Do(func() {
`}, {"journal/pebble/guard.go", "		g.fail(err)\n		select {}", "		g.fail(err)\n		return err"}}, check{name: "disk failures", pkg: "./journal/pebble", run: "^TestFailure"}},
	{"a journal that has failed is written to", []edit{{"actors/log.go", `	if err := l.Err(); err != nil {
		return err
	}
	err = errJournalExits`, `	err = errJournalExits`}}, contract("_JournalFails|InDoubt_JournalFailed|Faults")},
	{"each enlistment pushes the deadline back", []edit{{"actors/transaction.go", `	case *messages.Enlist:
		t.enlist(m)
	case *messages.AskCommit:
`, `	case *messages.Enlist:
		t.timer.deadline = time.Now().Add(t.timeout)
		t.enlist(m)
	case *messages.AskCommit:
`}}, contract("Scenario_DeadlineIsAbsolute")},
	{"a slot leaks where a transaction is rolled back", []edit{
		{"actors/lifecycle.go", `	t.handle.Release()
	t.handle.Close()
	t.timer.stop()
`, `	t.handle.Close()
	t.timer.stop()
`},
		{"actors/requests.go", `	if t.tx.Left() {
		t.handle.Release()
	}
`, `	if t.tx.Left() && t.tx.Outcome() == protocol.OutcomeCommitted {
		t.handle.Release()
	}
`},
	}, contract("_CapReached")},
	{"one transaction too many", []edit{{"actors/handle.go",
		"if s.live.Load() >= int64(s.Limit) {", "if s.live.Load() > int64(s.Limit) {"}}, contract("_CapReached")},
	{"one participant too many", []edit{{"actors/requests.go",
		"case before >= t.env.Limits.MaxParticipants:", "case before > t.env.Limits.MaxParticipants:"}}, contract("_Participant11")},
	{"a name is taken with another payload", []edit{{"actors/requests.go",
		"case !bytes.Equal(t.parts[i].branch.Payload, e.Payload):", "case false:"}}, contract("")},
	{"who enlists too late is told that it is enlisted", []edit{{"actors/requests.go",
		"case !posted && (t.tx.Stray(i) || t.tx.Outcome() != protocol.Undecided):", "case false:"}, {"actors/requests.go", `		case t.tx.State() != protocol.Active:
			return messages.RefusedNotActive
		case before`, `		case before`}}, contract("_EnlistNotActive")},
	{"a panic of a participant ends its gateway", []edit{{"actors/invoke.go", `		if v := recover(); v != nil {
			result, err = protocol.Failed, &PanicError{Value: v, Stack: debug.Stack()}
		}
`, ``}, {"actors/invoke.go", `	"fmt"
	"runtime/debug"
`, `	"fmt"
`}}, contract("_Participant")},
	{"a call is made twice at a time", []edit{{"actors/gateway.go",
		"	default:\n		b.waiting = m\n	}", "	default:\n		go g.run(b, m)\n	}"}}, contract("Scenario|_ParticipantHangs")},
	{"a failed actor is not brought back", []edit{{"supervisor/supervisor.go", `		r.comeBack(c)
		return
`, `		return
`}}, contract("Faults_ActorDies")},
	{"what is settled by hand is not forced", []edit{{"actors/settle.go",
		"messages.Append{Force: true, From: &settled{", "messages.Append{From: &settled{"}}, contract("Operator_Resolve")},
}

// supervising are bugs of admission, recovery and history.
var supervising = []bug{
	{"recovery acts on what is not forced", []edit{{"supervisor/recovery.go",
		"batch := journal.Batch{Force: true}", "batch := journal.Batch{}"}}, contract("Costs|Recovery|Guarantees")},
	{"what could not be told is never told again", []edit{{"supervisor/parked.go", `	r.parked.put(e, r.Registry.Gateway)
	r.markFull(e)
	r.deliver()
`, `	r.parked.put(e, r.Registry.Gateway)
	r.parked.take(e)
	r.markFull(e)
	r.deliver()
`}}, contract("Scenario_CommitFailsAndHeals|Recovery|_CommitReturnsNil")},
	{"an id from before the restart begins again", []edit{{"supervisor/admission.go",
		"if bytes.Compare(m.ID[:], r.Incarnation[:]) < 0 || bytes.Compare", "if bytes.Compare"}}, contract("IDs|Recovery_Presumed")},
	{"an id that has expired begins again", []edit{{"supervisor/admission.go",
		" || bytes.Compare(m.ID[:], horizon[:]) <= 0 {", " {"}, {"supervisor/admission.go", `	horizon := r.Horizon()
`, ``}}, contract("IDs")},
	{"an outcome that has expired is presumed", []edit{{"supervisor/inquiry.go",
		"id.Version() == 7 && before && after {", "id.Version() == 7 && before && (after || !after) {"}}, contract("IDs|Recovery")},
	{"an id of this run that nobody knows is presumed", []edit{{"supervisor/inquiry.go",
		"id.Version() == 7 && before && after {", "id.Version() == 7 && (before || !before) && after {"}}, contract("IDs|Recovery|Errors|InDoubt")},
	{"commit is presumed", []edit{{"supervisor/inquiry.go",
		"		return protocol.OutcomeRolledBack, true\n	}\n	return protocol.Unknown, false",
		"		return protocol.OutcomeCommitted, true\n	}\n	return protocol.Unknown, false"}}, contract("Recovery|IDs|InDoubt")},
	{"a branch of a live transaction is taken for a stray one", []edit{{"supervisor/indoubt.go", `	default:
		return 0, false
	}
}

// resolvesAnother`, `	default:
		return journal.Rollback, true
	}
}

// resolvesAnother`}}, contract("InDoubt")},
	{"a branch is resolved when one list names it", []edit{{"supervisor/indoubt.go",
		"if r.doubts.suspected[name][id] {", "if true {"}}, contract("InDoubt")},
	{"a journal in memory presumes aborts", []edit{{"supervisor/indoubt.go",
		"if !r.Log.Journal.Lasts() && bytes.Compare(id[:], r.Incarnation[:]) < 0 {", "if false {"}, {"supervisor/indoubt.go", `	"bytes"
`, ``}}, contract("InDoubt")},
	{"an unknown branch is committed", []edit{{"supervisor/indoubt.go",
		"return journal.Rollback, !ok && err == nil", "return journal.Commit, !ok && err == nil"}}, contract("InDoubt")},
	{"the oldest outcome is not dropped", []edit{{"supervisor/history.go",
		"for len(y.ring)-y.head > y.limit {", "for false {"}}, check{name: "history", pkg: "./supervisor", run: "History"}},
	{"outcomes expire as their actors stop", []edit{{"supervisor/history.go",
		"for i > y.head && y.ring[i-1].at > f.at {", "for false {"}}, check{name: "history", pkg: "./supervisor", run: "History"}},
	{"who waits for a slot is overtaken", []edit{{"supervisor/admission.go",
		"case r.waiting.Len() == 0 && r.admit(m):", "case r.admit(m):"}}, contract("_CapReached")},
	{"a caller who has gone leaves a transaction behind", []edit{{"supervisor/admission.go", `	if !r.claim(m) {
		h.Release()
		return true
	}
`, `	r.claim(m)
`}}, contract("_CapReached|_Context")},
	{"decided transactions are dropped at closing", []edit{{"supervisor/shutdown.go", `		if c.resumed != nil {
			c.handle.Send(&messages.Leave{})
		} else {
			c.handle.Send(&messages.Closing{})
		}
`, `		c.handle.Close()
		c.handle.Release()
		r.context.Stop(r.context.Children()[0])
`}}, contract("_Close|Close_")},
}

// answering are bugs of the façade.
var answering = []bug{
	{"a context that ends is a rollback", []edit{{"coordinator.go", `	r, _, err := c.results.Wait(ctx, m.Reply)
	if err != nil {
		return &OutcomeUnknownError{ID: h.ID, Err: err}
	}
	return commitError(r)
`, `	r, _, err := c.results.Wait(ctx, m.Reply)
	if err != nil {
		return &RolledBackError{ID: h.ID}
	}
	return commitError(r)
`}}, contract("_ContextEnds")},
	{"a commit that is unknown is answered with nil", []edit{{"translate.go", `	default:
		return unknown(r)
	}
}

// rollbackError`, `	default:
		return nil
	}
}

// rollbackError`}}, contract("_JournalFails|_Close|Delegate")},
	{"rolling back what is committed is answered with nil", []edit{{"translate.go", `	case protocol.OutcomeCommitted:
		return ErrCommitted
	case protocol.OutcomeRolledBack:
		return join`, `	case protocol.OutcomeCommitted:
		return nil
	case protocol.OutcomeRolledBack:
		return join`}}, contract("_Rollback")},
}
