/*
 * A journal that can be taken over: an owner that has lost it, and does not know,
 * must not harm what the next owner does.
 *
 * The journal is a service that several processes can reach, and one owns. The
 * next owner raises the journal's epoch, reads, and recovers. The last one may live
 * on as if nothing had happened, for as long as it likes: paused, cut off, or just
 * slow. The journal answers an append of an older epoch with ErrFenced (package
 * journal), and a transaction that hears that says nothing more (package protocol,
 * ForceFailed with Fenced).
 *
 * That alone does not protect what is done without an append. Aborts are presumed
 * (Mohan, Lindsay, Obermarck 1986), so a rollback is not written down and cannot be
 * fenced off. Two rules follow, and each is a mistake below when it is left out:
 *
 *   - The next owner rolls back what it finds undecided. It must not go on with the
 *     voting, as the last one may have rolled back meanwhile.
 *   - An owner rolls back a branch of a transaction that it does not know only after
 *     an append, so that it learns in time that it is another owner's transaction.
 *     Where a journal has one owner at a time this is not needed, and package
 *     supervisor does without.
 *
 * There is one transaction, of two branches that vote. Either the first owner
 * begins it, at any time before or after it was taken over, or the second one does.
 * Calls stay where they were sent and may arrive at any time, any number of times.
 * AC1 to AC5 are as in commit.pml (Bernstein, Hadzilacos, Goodman 1987). Every run
 * ends: to be running is an accepting state, so that the search for acceptance
 * cycles finds whatever goes round in circles.
 */

#ifndef MISTAKE
#define MISTAKE 0
#endif

/* ======== errors that can be planted ======== */

#define NOT_FENCED            (MISTAKE == 1)  /* the journal takes what an old owner appends */
#define READS_BEFORE_FENCING  (MISTAKE == 2)  /* the next owner reads the journal, and raises the epoch afterwards */
#define GOES_ON_VOTING        (MISTAKE == 3)  /* the next owner prepares again what it finds undecided */
#define RECORD_IS_IGNORED     (MISTAKE == 4)  /* the next owner rolls back everything */
#define SILENCE_IS_NO         (MISTAKE == 5)  /* an append that is not answered is taken as a rollback */
#define FENCED_IS_NO          (MISTAKE == 6)  /* to be fenced off is taken as a rollback */
#define FENCED_IS_YES         (MISTAKE == 7)  /* to be fenced off is not noticed */
#define COMMIT_BEFORE_ANSWER  (MISTAKE == 8)  /* commit is told before the append is answered */
#define DEADLINE_WHILE_UNSURE (MISTAKE == 9)  /* the deadline decides while the commit record is on its way */
#define RESOLVES_UNFENCED     (MISTAKE == 10) /* what an owner does not know it rolls back without an append */
#define PRESUMES_TOO_MUCH     (MISTAKE == 11) /* an owner presumes the abort of a transaction younger than itself */
#define NOBODY_LOOKS          (MISTAKE == 12) /* the next owner does not ask what is in doubt */

/* ======== promises ======== */

hidden byte AC1_all_end_alike, AC1_told_the_truth, AC2_what_was_told_stands, AC2_record_stands, AC3_all_voted_yes;
hidden byte AC4_commits_if_nothing_fails, AC5_nobody_undecided, AC5_journal_forgets, FORCED_before_anybody_commits;

#define promise(name, condition) name = (condition); assert(name)
#define implies(a, b)            (!(a) || (b))

/* ======== the participants ======== */

/* Sets of branches, with a bit for each. */
#define both 3
byte prepared, committed, rolledBack;           /* where they stand in truth */
byte toPrepare, toCommit, toRollBack;           /* who was ever told what */

mtype:outcome = { unknown, wasCommitted, wasRolledBack };
mtype:outcome told = unknown;                   /* what the application was told */
bool disturbed;                                 /* something else than success has happened */

/* ======== the journal ======== */

#define NOTHING     0
#define INTENT      1
#define COMMITTED   2
#define ROLLED_BACK 3
#define ENDED       4
byte record;
byte epoch = 0;     /* whose appends are taken */

byte append[2];     /* each owner's append that is on its way */
bool repeated[2];   /* its answer was lost, and it was sent again */
mtype:answer = { none, awaited, forced, fenced, failed };
mtype:answer answer[2] = none;
bool broken[2];     /* the owner has been told of a failure: it appends nothing more */

/* ======== the owners ======== */

mtype:stands = { nowhere, intending, preparing, deciding, resolving, inDoubt, committing, rollingBack, finished };
mtype:stands stands[2] = nowhere;
byte yes[2];        /* who voted yes, as far as each has heard */
bool young;         /* the second owner begins the transaction */
bool recovered;     /* and has read the journal */
bool stopped;       /* the first owner is dead */

#define mayAppend (!broken[me] && append[me] == NOTHING && (me == 0 || recovered))

inline check() {
	promise(AC1_all_end_alike, !(committed && rolledBack));
	promise(AC1_told_the_truth, implies(told == wasRolledBack, !committed && record != COMMITTED) && implies(told == wasCommitted, !rolledBack));
	promise(FORCED_before_anybody_commits, implies(committed, record == COMMITTED || record == ENDED))
}

inline tellApplication(outcome) {
	promise(AC2_what_was_told_stands, told == unknown || told == outcome);
	told = outcome;
	check()
}

inline force(kind) {
	append[me] = kind;
	answer[me] = awaited
}

inline prepare()  { stands[me] = preparing;   toPrepare = both }
inline commit()   { stands[me] = committing;  toCommit = both;   tellApplication(wasCommitted) }
inline rollback() { stands[me] = rollingBack; toRollBack = both; tellApplication(wasRolledBack) }

proctype Owner(byte me) {
	{
end:	do
	/* It begins, with an intent record or without. */
	:: atomic { stands[me] == nowhere && mayAppend && me == young && told == unknown ->
		if
		:: stands[me] = intending; force(INTENT)
		:: prepare()
		fi }
	:: atomic { stands[me] == intending && answer[me] == forced -> answer[me] = none; prepare() }

	/* Votes arrive, and when all are there, the commit record is forced. */
	:: atomic { stands[me] == preparing && (prepared & ~yes[me]) -> yes[me] = yes[me] | prepared }
	:: atomic { stands[me] == preparing && yes[me] == both && mayAppend ->
		stands[me] = deciding; force(COMMITTED);
		if :: COMMIT_BEFORE_ANSWER -> toCommit = both :: else -> skip fi }
	:: atomic { stands[me] == deciding && answer[me] == forced -> answer[me] = none; commit() }

	/* The deadline, a refusal, the application: as long as nothing is being decided. */
	:: atomic { stands[me] == intending || stands[me] == preparing || stands[me] == deciding && DEADLINE_WHILE_UNSURE ->
		disturbed = true; answer[me] = none; rollback() }

	/* The journal fails, or does not answer; or it says that it has another owner. */
	:: atomic { answer[me] == failed || answer[me] == fenced ->
		broken[me] = true;
		if
		:: stands[me] == deciding && (answer[me] == failed && SILENCE_IS_NO || answer[me] == fenced && FENCED_IS_NO) -> rollback()
		:: stands[me] == deciding && answer[me] == fenced && FENCED_IS_YES -> commit()
		:: stands[me] == intending && answer[me] == failed -> rollback()
		:: else -> stands[me] = inDoubt
		fi;
		answer[me] = none }
	/* It hears so because of another transaction. */
	:: atomic { me == 0 && epoch == 1 && !broken[me] -> broken[me] = true }

	/* All have acknowledged. The end is appended and not waited for; the journal
	   writes in order. */
	:: atomic { stands[me] == committing && committed == both && mayAppend -> stands[me] = finished; append[me] = ENDED }
	:: atomic { stands[me] == rollingBack && rolledBack == both && mayAppend ->
		stands[me] = finished;
		append[me] = (record != NOTHING -> ENDED : NOTHING) }

	/* A participant lists what it has prepared, of a transaction that this owner does
	   not know. */
	:: atomic { stands[me] == nowhere && prepared && mayAppend && !NOBODY_LOOKS ->
		disturbed = true;
		if
		:: RESOLVES_UNFENCED -> rollback()
		:: else -> stands[me] = resolving; force(ROLLED_BACK)
		fi }
	:: atomic { stands[me] == resolving && answer[me] == forced -> answer[me] = none; rollback() }

	/* Somebody asks about a transaction that it does not know, and that the journal did
	   not know either when this owner read it: it was rolled back, if it is older. */
	:: atomic { stands[me] == nowhere && told == unknown && (me > young && recovered || PRESUMES_TOO_MUCH && me < young) ->
		disturbed = true;
		toRollBack = toRollBack | prepared;
		tellApplication(wasRolledBack) }
	od
	} unless { stopped && me == 0 }
}

/* The first owner may die at any moment. */
proctype Death() {
end:	atomic { disturbed = true; stopped = true }
}

/* The second owner takes over: it raises the epoch, then reads. */
proctype Takeover(byte me) {
	byte found;
	if :: READS_BEFORE_FENCING -> found = record :: else -> skip fi;
	epoch = 1;
	if :: READS_BEFORE_FENCING -> skip :: else -> found = record fi;
	atomic {
		recovered = true;
		disturbed = disturbed || !young;
		if
		:: found == COMMITTED && !RECORD_IS_IGNORED -> commit()
		:: found == ENDED -> stands[me] = finished
		:: found == NOTHING && GOES_ON_VOTING && !young -> prepare()
		:: found == NOTHING && !(GOES_ON_VOTING && !young) -> skip
		:: else -> rollback()
		fi;
		found = 0
	}
}

/* ======== the journal and the participants act ======== */

inline written() {
	promise(AC2_record_stands, implies(record == COMMITTED || record == ENDED, append[me] == record || append[me] == ENDED));
	record = append[me];
	check()
}

proctype Journal(byte me) {
end:	do
	/* An append arrives. Where its answer is lost it is sent once more, so that what
	   is fenced off may have been written before. */
	:: atomic { append[me] && (me == epoch || NOT_FENCED) ->
		written();
		if
		:: append[me] = NOTHING; repeated[me] = false; answer[me] = (answer[me] == awaited -> forced : answer[me])
		:: !repeated[me] -> repeated[me] = true
		fi }
	:: atomic { append[me] && me < epoch && !NOT_FENCED ->
		append[me] = NOTHING; repeated[me] = false;
		answer[me] = (answer[me] == awaited -> fenced : answer[me]) }
	/* The first owner is told that its append failed. It may have been written, or be
	   written later, or be lost. */
	:: atomic { me == 0 && answer[me] == awaited ->
		disturbed = true;
		answer[me] = failed;
		if :: append[me] = NOTHING :: skip fi }
	od
}

proctype Branch(byte me) {
end:	do
	:: atomic { (toPrepare & me) && !((prepared | committed | rolledBack) & me) ->
		if
		:: prepared = prepared | me
		:: rolledBack = rolledBack | me; disturbed = true
		fi;
		check() }
	:: atomic { (toCommit & me) && !(committed & me) ->
		promise(AC3_all_voted_yes, prepared & me);
		prepared = prepared & ~me; committed = committed | me;
		check() }
	:: atomic { (toRollBack & me) && !(rolledBack & me) ->
		promise(AC1_all_end_alike, !(committed & me));
		prepared = prepared & ~me; rolledBack = rolledBack | me;
		check() }
	od
}

proctype Rest() {
accept:	timeout ->
	promise(AC5_nobody_undecided, !prepared && implies(committed, told == wasCommitted));
	promise(AC5_journal_forgets, record == NOTHING || record == ENDED);
	promise(AC4_commits_if_nothing_fails, disturbed || committed == both)
}

init {
	atomic {
		if :: young = false :: young = true fi;
		run Owner(0); run Owner(1); run Journal(0); run Journal(1); run Branch(1); run Branch(2);
		run Death(); run Takeover(1); run Rest()
	}
}
