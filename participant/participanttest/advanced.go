package participanttest

import "context"

func inDoubtLists(t *trial) {
	b := t.branch()
	t.prepare(b)
	t.inDoubt(coordinator, b, true)
}

func inDoubtOmitsFinished(t *trial) {
	committed, rolledBack, unknown := t.branch(), t.branch(), t.branch()
	t.complete(committed)
	t.undo(rolledBack)
	t.rollback(unknown)
	t.inDoubt(coordinator, committed, false)
	t.inDoubt(coordinator, rolledBack, false)
	t.inDoubt(coordinator, unknown, false)
}

func inDoubtOmitsOthers(t *trial) {
	b := t.branch()
	t.prepare(b)
	t.inDoubt(coordinator+"-2", b, false)
	t.inDoubt("", b, false)
}

func onePhaseOnce(t *trial) {
	b := t.branch()
	for range 2 {
		t.commitOnePhase(b)
		t.has(b, 1, "after CommitOnePhase")
		t.isCommitted(b, true)
	}
}

func lateOnePhase(t *trial) {
	b := t.branch()
	t.rollback(b)
	t.tooLate(t.onePhaseCall, b)
}

func askingIsFinal(t *trial) {
	b := t.branch()
	t.isCommitted(b, false)
	t.tooLate(t.onePhaseCall, b)
	t.isCommitted(b, false)
}

func onePhaseRefusal(t *trial) {
	b := t.refusedBranch()
	if t.try(context.Background(), t.onePhaseCall, b) == nil {
		t.failf("CommitOnePhase accepted the payload that it should refuse")
	}
	t.has(b, 0, "after the refusal")
	t.isCommitted(b, false)
}

func preparedSurvives(t *trial) {
	committed, rolledBack := t.branch(), t.branch()
	t.prepare(committed)
	t.prepare(rolledBack)
	t.restart()
	t.commit(committed)
	t.has(committed, 1, "after Prepare, a restart and Commit")
	t.rollback(rolledBack)
	t.has(rolledBack, 0, "after Prepare, a restart and Rollback")
}

func inDoubtSurvives(t *trial) {
	prepared, finished := t.branch(), t.branch()
	t.prepare(prepared)
	t.complete(finished)
	t.restart()
	t.inDoubt(coordinator, prepared, true)
	t.inDoubt(coordinator, finished, false)
}

func committedSurvives(t *trial) {
	b := t.branch()
	t.complete(b)
	t.restart()
	t.has(b, 1, "after Commit and a restart")
	t.commit(b)
	t.has(b, 1, "after Commit, a restart and Commit")
}

func rolledBackSurvives(t *trial) {
	begun, unknown := t.branch(), t.branch()
	t.undo(begun)
	t.rollback(unknown)
	t.restart()
	t.has(begun, 0, "after Rollback and a restart")
	t.tooLate(t.beginCall, begun)
	t.tooLate(t.beginCall, unknown)
}
