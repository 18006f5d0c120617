package planted

// What the simulator is to find: its seeds are new in every run.
var simulated = check{"simulator", "./internal/simulator", "^TestSeeds$", []string{"-seeds", "200000"}}

// What is to be found by trying every interleaving of two branches.
var interleaved = check{name: "every interleaving", pkg: "./protocol", run: "^TestEveryInterleaving|^TestExhaustive"}

const (
	active   = "protocol/active.go"
	phaseOne = "protocol/phase_one.go"
	phaseTwo = "protocol/phase_two.go"
	state    = "protocol/transaction.go"
	query    = "protocol/query.go"
)

func init() {
	bugs = append(bugs, deciding...)
	bugs = append(bugs, voting...)
	bugs = append(bugs, telling...)
	bugs = append(bugs, recovering...)
}

// decides is where the commit record is forced.
const decides = `	t.state = Deciding
	t.force(CommitRecord)
`

// deciding are bugs around the decision and the record of it.
var deciding = []bug{
	{"commit is told before its record is forced", []edit{{phaseOne, decides, `	t.force(CommitRecord)
	t.committed()
`}}, simulated},
	{"the commit record is not forced at all", []edit{{phaseOne, decides, `	t.committed()
`}}, simulated},
	{"the application is answered before the record is forced", []edit{
		{phaseOne, decides, decides + `	t.tellApplication()
`},
		{query, "case Committing, Committed:", "case Deciding, Committing, Committed:"},
	}, simulated},
	{"prepare is asked before the intent is forced", []edit{{active, `		t.force(IntentRecord)
`, `		t.force(IntentRecord)
		t.prepare()
`}}, simulated},
	{"no intent record for branches that recovery cannot find", []edit{{active,
		"case t.covered < len(t.branches) && slices.ContainsFunc(t.branches, forgettable):", "case false && slices.ContainsFunc(t.branches, forgettable):"}}, simulated},
	{"an intent is recorded where none is needed", []edit{{active,
		"return !b.TwoPhase || !b.Recoverable", "return true"}}, simulated},
	{"a one-phase branch needs no intent", []edit{{active,
		"return !b.TwoPhase || !b.Recoverable", "return b.TwoPhase && !b.Recoverable"}}, simulated},
	{"the deadline rolls back while the record is being forced", []edit{{phaseOne, `	switch {
	case e.Kind == Forced && e.Record == CommitRecord:
`, `	switch {
	case e.Kind == Deadline:
		t.rollback()
	case e.Kind == Forced && e.Record == CommitRecord:
`}}, interleaved},
	{"a failed force of the commit record is a rollback", []edit{{phaseOne, `		t.state = InDoubt
		t.tellApplication()
	}
}

// stepDelegation`, `		t.rollback()
	}
}

// stepDelegation`}}, simulated},
	{"a rollback that nobody has to hear of is forced", []edit{{phaseTwo, `	t.tell(Rollback)
`, `	t.force(RollbackRecord)
	t.tell(Rollback)
`}}, simulated},
	{"a commit of read-only branches is forced", []edit{{phaseOne,
		"if t.allReadOnly() && !t.recorded {", "if false {"}}, simulated},
	{"read-only branches with an intent leave it behind", []edit{{phaseOne,
		"if t.allReadOnly() && !t.recorded {", "if t.allReadOnly() {"}}, simulated},
	{"the delegate is asked to commit before that is forced", []edit{{active, `		t.force(DelegationRecord)
`, `		t.force(DelegationRecord)
		t.state = Delegated
		t.call(0, CommitOnePhase)
`}}, simulated},
	{"a delegate that does not answer is rolled back", []edit{{phaseOne, `	case t.state == Delegated:
		t.ask()
`, `	case t.state == Delegated:
		t.rollback()
`}}, simulated},
	{"a rollback while committing", []edit{{phaseTwo, `	switch e.Kind {
	case Answered:
`, `	switch e.Kind {
	case AskRollback:
		t.rollback()
	case Answered:
`}}, simulated},
	{"an owner that is fenced off speaks on", []edit{{phaseTwo, `	t.silent = true
	if !t.Left() {
		t.state = InDoubt
`, `	if !t.Left() {
		t.state = InDoubt
		t.rollback()
`}}, simulated},
}

// voting are bugs of phase one.
var voting = []bug{
	{"no deadline while active", []edit{{active, `		t.begin()
	case AskRollback, Deadline, ForceFailed:
`, `		t.begin()
	case AskRollback, ForceFailed:
`}}, simulated},
	{"a vote that does not come in time is a yes", []edit{{phaseOne,
		"case b.op == Prepare && e.Result == Done:", "case b.op == Prepare && (e.Result == Done || e.Result == TimedOut):"}}, simulated},
	{"a refusal is a yes", []edit{{phaseOne,
		"case b.op == Prepare && e.Result == Done:", "case b.op == Prepare && (e.Result == Done || e.Result == Failed):"}}, simulated},
	{"a refusal is not heard", []edit{{phaseOne, `	default:
		t.rollback()
	}
}

// work`, `	}
}

// work`}}, simulated},
	{"a majority of votes is enough", []edit{{phaseOne, `	for i := range t.branches {
		if b := &t.branches[i]; b.TwoPhase && b.vote == none {
			return
		}
	}
`, `	var open int
	for i := range t.branches {
		if b := &t.branches[i]; b.TwoPhase && b.vote == none {
			open++
		}
	}
	if 2*open >= len(t.branches) {
		return
	}
`}}, simulated},
	{"a vote that comes twice counts twice", []edit{
		{state, "if !b.pending || b.attempt != e.Attempt {", "if b.attempt != e.Attempt {"},
		{phaseOne, `		b.vote = yes
`, `		for i := range t.branches {
			if o := &t.branches[i]; b.vote == yes && o.TwoPhase && o.vote == none {
				o.vote = yes
				break
			}
		}
		b.vote = yes
`},
	}, simulated},
	{"any answer is the last call's", []edit{{state,
		"if !b.pending || b.attempt != e.Attempt {", "if !b.pending {"}}, simulated},
	{"a late vote turns a rollback", []edit{{phaseTwo, `	case Answered:
		t.acknowledged(e)
`, `	case Answered:
		if t.state == RollingBack && e.Attempt == 1 && e.Result == Done && t.has(e.Branch) && t.branches[e.Branch].attempt == 2 {
			t.decide()
			return
		}
		t.acknowledged(e)
`}}, simulated},
	{"a branch is taken while others are preparing", []edit{
		{state, "case e.Kind == Enlist && t.state != Active:", "case e.Kind == Enlist && t.state != Active && t.state != Preparing:"},
		{phaseOne, `	switch e.Kind {
	case AskRollback, Deadline, ForceFailed:
		t.rollback()
		return
`, `	switch e.Kind {
	case Enlist:
		t.enlist(e)
		return
	case AskRollback, Deadline, ForceFailed:
		t.rollback()
		return
`},
	}, simulated},
	{"one branch too many", []edit{
		{active, "case i < 0 && len(t.branches) >= t.limit && !e.Posted:", "case i < 0 && len(t.branches) > t.limit && !e.Posted:"},
		{active, "case i < 0 && len(t.branches) >= t.limit:\n", "case i < 0 && len(t.branches) > t.limit:\n"},
	}, simulated},
	{"one-phase branches work before all have voted", []edit{{phaseOne, `		if b := &t.branches[i]; b.TwoPhase && b.vote == none {
			return
		}
`, `		if t.branches[i].vote == none && !t.branches[i].TwoPhase {
			break
		}
`}}, simulated},
	{"all one-phase branches work at a time", []edit{{phaseOne, `			t.call(i, Commit)
			return
		}
	}
	t.decide()
`, `			t.call(i, Commit)
		}
	}
	if t.state == Working && t.branches[len(t.branches)-1].vote == none {
		return
	}
	t.decide()
`}}, simulated},
	{"a late branch is like any other", []edit{{active,
		"branch{Branch: e.Enlist, stray: true}", "branch{Branch: e.Enlist}"}}, simulated},
	{"a durable enlistment is not waited for", []edit{{active,
		"if !t.durable || i < t.covered {", "if true {"}}, simulated},
	{"a durable enlistment is not forced", []edit{{active, `		if t.durable {
			t.force(EnlistmentRecord)
		}
`, ``}, {active, "if !t.durable || i < t.covered {", "if true {"}}, simulated},
}
