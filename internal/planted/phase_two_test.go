package planted

// What the golden conversations are to find.
var conversations = check{name: "conversations", pkg: "./protocol", run: "^TestConversations$"}

// telling are bugs of phase two: of telling the outcome until all have heard it.
var telling = []bug{
	{"one acknowledgement is enough", []edit{{phaseTwo, `		if t.allDone() {
			t.end()
		} else`, `		if true {
			t.end()
		} else`}}, simulated},
	{"the end is never written", []edit{{phaseTwo, `	t.tellApplication()
	t.do(End)
`, `	t.tellApplication()
	t.parked = true
	t.do(Park)
`}}, simulated},
	{"a failed commit is acknowledged", []edit{{phaseTwo,
		"if e.Result == Done ||", "if e.Result == Done || b.op == Commit && e.Result == Failed ||"}}, simulated},
	{"a failed rollback is acknowledged", []edit{{phaseTwo,
		"if e.Result == Done ||", "if e.Result == Done || b.op == Rollback && e.Result == Failed ||"}}, simulated},
	{"a call that is overdue is acknowledged", []edit{{phaseTwo,
		"if e.Result == Done ||", "if e.Result == Done || e.Result == TimedOut ||"}}, simulated},
	{"a commit that is refused as rolled back is acknowledged", []edit{{phaseTwo,
		"b.op == Rollback && e.Result == WasRolledBack", "e.Result == WasRolledBack"}}, conversations},
	{"who fails is not told again", []edit{{phaseTwo, `	} else if !t.resumed || b.stray {
		t.retry(e.Branch)
	}
`, `	}
`}}, simulated},
	{"commit is given up when waiting is over", []edit{{phaseTwo, `	case WaitOver:
		t.leave()
`, `	case WaitOver:
		if t.state == Committing {
			t.rollback()
			return
		}
		t.leave()
`}}, simulated},
	{"who has not acknowledged is forgotten when waiting is over", []edit{{phaseTwo, `	case WaitOver:
		t.leave()
`, `	case WaitOver:
		t.end()
`}}, simulated},
	{"who was asked and did not answer is not rolled back", []edit{{phaseTwo,
		"b.done = b.vote == readOnly", "b.done = b.vote == readOnly || b.stuck"}}, simulated},
	{"who was not asked yet is not rolled back", []edit{{phaseTwo,
		"b.done = b.vote == readOnly", "b.done = b.vote == readOnly || b.attempt == 0"}}, simulated},
	{"a one-phase branch that has committed is not undone", []edit{{phaseTwo,
		"b.done = b.vote == readOnly", "b.done = b.vote == readOnly || b.vote == worked"}}, simulated},
	{"who has left read-only is told to commit", []edit{{phaseOne,
		"b.vote, b.done = readOnly, true", "b.vote = readOnly"}}, simulated},
	{"who has left read-only is told to roll back", []edit{{phaseTwo,
		"b.done = b.vote == readOnly", "b.done = false"}}, contract("Costs")},
	{"a one-phase branch is told to commit twice", []edit{{phaseOne,
		"b.vote, b.done = worked, true", "b.vote = worked"}}, simulated},
	{"a late branch is told what the others are told", []edit{{phaseTwo, `	if b.stray {
		return Rollback
	}
`, ``}}, simulated},
	{"a rollback leaves memory without a record", []edit{{phaseTwo,
		"case t.state == RollingBack && (t.covered < len(t.branches) || t.delegated):", "case false:"}}, interleaved},
	{"the delegation record says that a rollback is to be told", []edit{{phaseTwo,
		"(t.covered < len(t.branches) || t.delegated)", "(t.covered < len(t.branches))"}}, interleaved},
	{"a late branch is left behind in memory", []edit{{phaseTwo,
		"case t.held, t.state != RollingBack && t.strayLeft():", "case t.held:"}}, simulated},
	{"who waits is not answered when the transaction leaves memory", []edit{{phaseTwo, `		t.parked = true
		t.tellApplication()
`, `		t.parked = true
`}}, simulated},
	{"what is settled by hand is told all the same", []edit{{phaseTwo,
		"b.done, b.pending, b.settled = true, false, true\n	t.progress()", "b.pending, b.settled = false, true\n	t.progress()"}}, contract("Operator_Resolve")},
}

// recovering are bugs of taking transactions up from the journal.
var recovering = []bug{
	{"recovery forgets a branch", []edit{{state,
		"done: !pending[i]}", "done: !pending[i] || i > 0 && i == len(branches)-1}"}}, simulated},
	{"a commit record is recovered as a rollback", []edit{{state, `	case CommitRecord:
		t.state = Committing
	case DelegationRecord:
`, `	case CommitRecord:
	case DelegationRecord:
`}}, simulated},
	{"an intent is recovered as a commit", []edit{{state, `	default:
		t.covered = len(branches)
	}
`, `	default:
		t.covered = len(branches)
		t.state = Committing
	}
`}}, simulated},
	{"a delegation is recovered as a rollback", []edit{{state, `	case DelegationRecord:
		t.state = Asking
`, `	case DelegationRecord:
		t.covered = len(branches)
`}}, simulated},
	{"calls of an earlier life have the same numbers", []edit{{state, `		t.branches[i].attempt = n
`, `		_, _ = i, n
`}}, simulated},
	{"what is taken up leaves its record behind", []edit{{state,
		"recorded: record != NoRecord,", "recorded: false,"}}, conversations},
}
