package participanttest

import "github.com/seed-d36415c0/dtc/participant"

// checks are the promises, the plainest first.
var checks = []check{
	{Promise{"name", "A participant's name is 1 to 128 bytes of UTF-8 without control characters, and never changes."},
		everyone, nameIsStable},
	{Promise{"commit", "A branch that is committed has taken effect."},
		everyone, commitTakesEffect},
	{Promise{"duplicate-prepare", "A Prepare that comes again is answered like the first and takes effect once."},
		twoPhase, prepareOnce},
	{Promise{"duplicate-commit", "A Commit that comes again is acknowledged and takes effect once."},
		everyone, commitOnce},
	{Promise{"duplicate-rollback", "A Rollback that comes again is acknowledged and undoes nothing twice."},
		everyone, rollbackOnce},
	{Promise{"rollback", "A branch that is rolled back has no effect, be it prepared or, where it is one-phase, committed before."},
		everyone, rollbackUndoes},
	{Promise{"rollback-unknown", "Rollback of a branch that was never heard of is acknowledged and has no effect."},
		everyone, rollbackUnknown},
	{Promise{"remember-unknown", "Rollback of a branch that was never heard of is remembered: a call that overtook it is refused with ErrRolledBack."},
		everyone, unknownIsRemembered},
	{Promise{"late-prepare", "A Prepare that comes after Rollback is refused with ErrRolledBack and has no effect."},
		twoPhase, latePrepare},
	{Promise{"late-commit", "A Commit that comes after Rollback is refused with ErrRolledBack and has no effect."},
		everyone, lateCommit},
	{Promise{"refusal", "A branch that is refused has no effect, and its Rollback undoes nothing."},
		refuses, refusalIsClean},
	{Promise{"cancelled", "A call whose context has ended takes effect whole or not at all, and the calls that follow find it so."},
		everyone, cancelledIsWhole},
	{Promise{"payload", "The payload is not changed."},
		everyone, payloadIsLeft},
	{Promise{"concurrent", "Branches that are worked on at the same time do not disturb each other."},
		everyone, branchesAreApart},
	{Promise{"in-doubt", "InDoubt lists the branches that are prepared and neither committed nor rolled back."},
		recovers, inDoubtLists},
	{Promise{"in-doubt-finished", "InDoubt does not list a branch that is committed or rolled back."},
		recovers, inDoubtOmitsFinished},
	{Promise{"in-doubt-coordinator", "InDoubt lists the branches of the coordinator that asks, and of no other."},
		recovers, inDoubtOmitsOthers},
	{Promise{"one-phase", "CommitOnePhase commits, takes effect once however often it comes, and Committed says so."},
		onePhaseCommits, onePhaseOnce},
	{Promise{"one-phase-late", "A CommitOnePhase that comes after Rollback is refused with ErrRolledBack and has no effect."},
		onePhaseCommits, lateOnePhase},
	{Promise{"one-phase-asked", "Committed answers false for a branch that was never committed, and a CommitOnePhase that comes later is refused with ErrRolledBack."},
		onePhaseCommits, askingIsFinal},
	{Promise{"one-phase-refusal", "A CommitOnePhase that is refused has no effect, and Committed answers false."},
		both(onePhaseCommits, refuses), onePhaseRefusal},
	{Promise{"restart-prepared", "A prepared branch survives a restart, and can then be committed or rolled back."},
		both(durable, twoPhase), preparedSurvives},
	{Promise{"restart-in-doubt", "InDoubt lists a prepared branch after a restart too."},
		both(durable, recovers), inDoubtSurvives},
	{Promise{"restart-committed", "A committed branch survives a restart: its effect stays, and a Commit that comes again takes none."},
		durable, committedSurvives},
	{Promise{"restart-rolled-back", "A rolled back branch stays so after a restart: a later Prepare or Commit is refused with ErrRolledBack."},
		durable, rolledBackSurvives},
}

func everyone(*trial) bool  { return true }
func durable(t *trial) bool { return t.h.Durable }
func refuses(t *trial) bool { return t.s.Refused != nil }

func twoPhase(t *trial) bool        { return is[participant.Preparer](t) }
func recovers(t *trial) bool        { return is[participant.Recoverer](t) && twoPhase(t) }
func onePhaseCommits(t *trial) bool { return is[participant.OnePhaseCommitter](t) }

func is[T any](t *trial) bool {
	_, ok := participant.As[T](t.s.Participant)
	return ok
}

func both(a, b func(*trial) bool) func(*trial) bool {
	return func(t *trial) bool { return a(t) && b(t) }
}
