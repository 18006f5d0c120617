/*
 * Atomic commitment as package protocol, the actors and the supervisor do it:
 * one transaction, its journal, its participants of any mix of kinds, and
 * everything that can go wrong.
 *
 * The protocol is presumed abort (Mohan, Lindsay, Obermarck: Transaction
 * Management in the R* Distributed Database Management System, 1986) with the
 * departures that the comment of package protocol names. What it has to keep is
 * the definition of atomic commitment in Bernstein, Hadzilacos, Goodman:
 * Concurrency Control and Recovery in Database Systems, 1987, chapter 7:
 *
 *   AC1  All processes that reach a decision reach the same one.
 *   AC2  A process cannot reverse its decision after it has reached one.
 *   AC3  Commit can only be reached if all processes voted yes.
 *   AC4  If there are no failures and all voted yes, the decision is commit.
 *   AC5  If at any point all failures are repaired and no new ones occur for
 *        long enough, all processes reach a decision.
 *
 * What to know before reading:
 *
 *   - A set of branches is a number with a bit for each.
 *   - A call that was ever sent to a participant stays in "sent" and may arrive at
 *     any time, any number of times, or never: loss, duplication, delay and
 *     reordering in one, without a bound. A call is dropped from it when it can
 *     have no effect any more.
 *   - An answer counts for the last call of its branch alone; the number of the
 *     call says so. Hence a new call empties "heard", the answers on their way.
 *   - Failures happen as often as they like, until "calm" is set, once, at any
 *     moment. After that none happens, and what is broken is repaired. When then
 *     nothing is left to happen (timeout) everything must be settled, which is
 *     AC5. And it must come to that: to be calm is an accepting state, so that the
 *     search for acceptance cycles finds whatever goes round in circles, by any
 *     scheduling, fair or not.
 */

#ifndef MISTAKE
#define MISTAKE 0
#endif
#ifndef N
#define N 2 /* branches, at the most */
#endif

/* ======== errors that can be planted ======== */

#define COMMIT_BEFORE_FORCE       (MISTAKE == 1)  /* commit is told before its record is forced */
#define WRITTEN_IS_FORCED         (MISTAKE == 2)  /* a record that is written is taken to be forced */
#define NO_INTENT_FOR_UNLISTED    (MISTAKE == 3)  /* no intent record for a participant that cannot list its branches */
#define NO_INTENT_FOR_ONE_PHASE   (MISTAKE == 4)  /* no intent record for a one-phase branch */
#define INTENT_NOT_AWAITED        (MISTAKE == 5)  /* phase one begins before the intent record is forced */
#define DELEGATION_NOT_AWAITED    (MISTAKE == 6)  /* a branch is left to decide before that is forced */
#define RECOVERY_DOES_NOT_FORCE   (MISTAKE == 7)  /* recovery acts on a record that it has read and not forced */
#define INTENT_MEANS_COMMIT       (MISTAKE == 8)  /* an intent record is recovered as a commit */
#define COMMIT_MEANS_ROLLBACK     (MISTAKE == 9)  /* a commit record is recovered as a rollback */
#define DELEGATION_MEANS_ROLLBACK (MISTAKE == 10) /* a delegation record is recovered as a rollback */
#define FAILED_FORCE_IS_NO        (MISTAKE == 11) /* a commit record whose force failed is taken as a rollback */
#define FAILED_FORCE_IS_YES       (MISTAKE == 12) /* a force that failed is taken to have succeeded */
#define LATE_VOTE_COUNTS          (MISTAKE == 13) /* a vote that comes late turns a rollback into a commit */
#define ANY_ANSWER_COUNTS         (MISTAKE == 14) /* an answer to an earlier call is taken for one to the last */
#define SILENCE_IS_YES            (MISTAKE == 15) /* a vote that does not come in time is a yes */
#define ONE_VOTE_IS_ENOUGH        (MISTAKE == 16) /* the first yes decides */
#define DOUBT_IS_NO               (MISTAKE == 17) /* a delegate that does not answer is taken to have rolled back */
#define DEADLINE_WHILE_DECIDING   (MISTAKE == 18) /* the deadline stops what is being decided */
#define ROLLBACK_WHILE_COMMITTING (MISTAKE == 19) /* a rollback is accepted after the decision to commit */
#define WORK_IS_NOT_UNDONE        (MISTAKE == 20) /* a one-phase branch that had committed is not rolled back */
#define READ_ONLY_UNRECORDED      (MISTAKE == 21) /* when all have left, no commit record replaces the intent record */
#define NO_RETRY                  (MISTAKE == 22) /* phase two tells once, and waits */
#define ONE_ACK_IS_ENOUGH         (MISTAKE == 23) /* the first acknowledgement ends the transaction */
#define END_BEFORE_ACKS           (MISTAKE == 24) /* the end is written as soon as the decision is told */
#define NO_END                    (MISTAKE == 25) /* the end is never written */
#define TAKEN_UP_FOR_EVER         (MISTAKE == 26) /* the end is never written, and what has finished is taken up again */
#define PARKED_UNRECORDED         (MISTAKE == 27) /* a rollback leaves memory without a record */
#define PARKED_ON_DELEGATION      (MISTAKE == 28) /* a rollback is parked with a record that says to ask */
#define FORGETS_A_BRANCH          (MISTAKE == 29) /* a record does not name the last branch */
#define PRESUMED_COMMIT           (MISTAKE == 30) /* an unknown transaction is presumed committed */
#define LIVE_IS_UNKNOWN           (MISTAKE == 31) /* an inquiry about a live transaction is answered as one about an unknown */
#define SCAN_IGNORES_LIVE         (MISTAKE == 32) /* branches in doubt are compared with the journal, not with live transactions */
#define SCAN_IGNORES_JOURNAL      (MISTAKE == 33) /* branches in doubt are compared with live transactions, not with the journal */
#define NO_SCAN                   (MISTAKE == 34) /* nobody looks for branches in doubt, nor answers inquiries */
#define VOTE_BEFORE_DURABLE       (MISTAKE == 35) /* a participant votes yes before it could survive a crash */
#define NO_TOMBSTONE              (MISTAKE == 36) /* a participant does not remember what it rolled back unprepared */
#define GIVES_UP                  (MISTAKE == 37) /* a prepared participant rolls back because it has waited for long */
#define ASK_LEAVES_NO_TRACE       (MISTAKE == 38) /* a delegate that says no accepts the commit that comes later */
#define REVIVED_WITHOUT_BARRIER   (MISTAKE == 39) /* an actor comes back before the journal has written what the last one gave it */

/* ======== promises ======== */

/* A run that breaks one names it. They are no part of the state. */
hidden byte AC1_all_end_alike, AC1_told_the_truth, AC2_no_branch_reverses, AC2_what_was_told_stands;
hidden byte AC3_all_voted_yes, AC3_prepared_before_commit, AC4_commits_if_nothing_fails;
hidden byte AC5_nobody_undecided, AC5_transaction_ends, AC5_journal_forgets;
hidden byte FORCED_before_commit_is_told, FORCED_before_work_is_done, FORCED_before_delegation;
hidden byte FORCED_before_anybody_commits, KEPT_while_parked, KEPT_until_all_are_done, KEPT_what_is_prepared;

#define promise(name, condition) name = (condition); assert(name)
#define implies(a, b)            (!(a) || (b))

/* ======== the participants ======== */

#define bit(b) (1 << (b))

/* Which branches there are, and of which kind. */
byte all;
byte twoPhase;  /* can prepare */
byte listed;    /* and their participants can list what is in doubt: Recoverer */
bool sole;      /* the only one can commit in one phase: OnePhaseCommitter */
bool durable;   /* the enlistment was forced: TxOptions.Durable */

/* Where the branches stand in truth. A participant forces what it has done before
   it answers, so that its crash is a lost call or a lost answer; but work that was
   not prepared can be lost with it. */
byte working, prepared, readOnly, committed, performed, rolledBack;

/* Operations, as bits, and the calls that may arrive still. */
#define PREPARE   1
#define COMMIT    2
#define ONE_PHASE 4
#define ASK       8
#define ROLLBACK  16
byte sent[N];

/* Answers, as bits, and those on their way. */
#define YES       1 /* a vote */
#define READ_ONLY 2 /* a vote */
#define DONE      4 /* an acknowledgement; or: was committed */
#define REFUSED   8 /* a vote no; or: was rolled back */
byte heard[N];

/* ======== the coordinator ======== */

mtype:state = {
	down,    /* the process is not there */
	away,    /* the transaction is not in memory: parked, finished or unknown */
	failed,  /* its actor has panicked, and is to come back */
	begun, intending, preparing, doing, delegating, delegated, asking,
	deciding, inDoubt, committing, rollingBack
};
mtype:state state = begun;
byte known;        /* the branches that the transaction in memory has */
byte op[N];        /* the last call of each */
byte pending;      /* that call has not been answered */
byte yes;          /* prepared, or one-phase and committed, as far as it knows */
byte left;         /* voted read-only */
byte done;         /* need no further call */
bool covered;      /* a record on disk says that recovery rolls back */
bool replaced;     /* the delegation record has taken its place */
bool leaving;      /* the rollback record is being forced, to park */
bool patient;      /* was never away, and so tells again and again */
bool recorded;     /* a record may be on disk, so that the end must be written */
byte acknowledged; /* this process knows of a parked transaction; its record is older */

mtype:outcome = { unknown, wasCommitted, wasRolledBack };
mtype:outcome history = unknown; /* of a transaction that has finished */
mtype:outcome told = unknown;    /* what the application could have heard */

#define undecided (state == begun || state == intending || state == preparing || state == doing || state == delegating)
#define voting    (state == preparing || state == doing)
#define telling   (state == committing || state == rollingBack)
#define live      (state != down && state != away && state != failed)

/* ======== the journal ======== */

#define NOTHING     0
#define ENLISTMENT  1
#define INTENT      2
#define DELEGATION  3
#define COMMITTED   4
#define ROLLED_BACK 5
#define ENDED       6 /* with the outcome in place of the branches */
#define unfinished(record) (record != NOTHING && record != ENDED)

chan writes = [3] of { byte, byte }; /* appended, and not known to be on disk */
byte disk, names;                    /* on stable storage: the record, and who is to be told */
byte page, pageNames;                /* what would be read; where it differs, it is not forced */
bool broken;                         /* a force has failed: the journal must be opened again */

inline synchronize() { disk = page; names = pageNames }
inline losePages()   { page = disk; pageNames = names }

/* ======== the world ======== */

byte i;         /* counts in loops; 0 between steps */
bool calm;      /* no failure happens any more */
bool disturbed; /* something else than success has happened */

inline checkBranches() {
	promise(AC1_all_end_alike, !(committed && rolledBack));
	promise(AC1_told_the_truth, implies(told == wasRolledBack, !committed) && implies(told == wasCommitted, !rolledBack));
	promise(FORCED_before_anybody_commits, sole || implies(committed, disk == COMMITTED || disk == ENDED))
}

inline tellApplication(outcome) {
	promise(AC2_what_was_told_stands, told == unknown || told == outcome);
	told = outcome;
	checkBranches()
}

/* What is prepared or done can be found again: the journal names it, or its
   participant lists it. */
inline checkMemory() {
	promise(KEPT_what_is_prepared, !(prepared & ~listed & ~(unfinished(page) -> pageNames : 0)));
	promise(KEPT_what_is_prepared, implies(performed & ~(unfinished(page) -> pageNames : 0), page == COMMITTED || told == wasCommitted))
}

/* ======== package protocol: events come in, one at a time ======== */

mtype:event = { askCommit, askRollback, answered, unanswered, retryDue, waitOver, forced, forceFailed, takeUp };
chan event = [0] of { mtype:event, byte, byte };

mtype:next = { nothing, prepare, goOn, decide, toCommit, toRollback, finish, park };

inline force(record) {
	recorded = true;
	assert(nfull(writes));
	writes!record, (FORGETS_A_BRANCH -> 1 : known & ~done)
}

inline call(b, o) {
	op[b] = o;
	pending = pending | bit(b);
	sent[b] = sent[b] | o;
	heard[b] = (ANY_ANSWER_COUNTS || LATE_VOTE_COUNTS -> heard[b] : 0);
	promise(FORCED_before_commit_is_told, implies(o == COMMIT && (twoPhase & bit(b)), disk == COMMITTED));
	promise(FORCED_before_work_is_done, implies(o == COMMIT && !(twoPhase & bit(b)), unfinished(disk) && (names & bit(b))));
	promise(FORCED_before_delegation, implies(o == ONE_PHASE, disk == DELEGATION))
}

inline callEach(branches, o) {
	for (i : 0 .. N-1) {
		if :: branches & bit(i) -> call(i, o) :: else -> skip fi
	}
	i = 0
}

#define forgettable ((all & ~twoPhase && !NO_INTENT_FOR_ONE_PHASE) || (twoPhase & ~listed && !NO_INTENT_FOR_UNLISTED))

/* begin starts to commit, the cheapest way that is safe for the branches. */
inline begin() {
	if
	:: sole ->
		force(DELEGATION);
		state = (DELEGATION_NOT_AWAITED -> delegated : delegating);
		replaced = true;
		if :: DELEGATION_NOT_AWAITED -> call(0, ONE_PHASE) :: else -> skip fi
	:: !sole && !covered && forgettable ->
		force(INTENT);
		state = intending;
		if :: INTENT_NOT_AWAITED -> next = prepare :: else -> skip fi
	:: else -> next = prepare
	fi
}

#define unvoted (ONE_VOTE_IS_ENOUGH && yes -> 0 : known & ~(yes | left))

/* work commits the next one-phase branch, once all two-phase branches have voted,
   and decides when there is none left. */
inline work() {
	if
	:: unvoted & twoPhase -> skip
	:: unvoted && !(unvoted & twoPhase) ->
		do
		:: unvoted & bit(i) -> break
		:: else -> i++
		od;
		state = doing;
		call(i, COMMIT);
		i = 0
	:: else -> next = decide
	fi
}

inline decided() {
	promise(AC3_all_voted_yes, !working && !rolledBack);
	if
	:: left == all && (!recorded || READ_ONLY_UNRECORDED) ->
		state = committing;
		/* With nothing to commit anywhere, nothing is remembered and nothing
		   promised. */
		if :: recorded -> tellApplication(wasCommitted) :: else -> skip fi;
		next = finish
	:: else ->
		force(COMMITTED);
		state = deciding;
		if :: COMMIT_BEFORE_FORCE -> callEach(known & ~done, COMMIT) :: else -> skip fi
	fi
}

/* tell makes the outcome stand, and tells it to every branch that is not done. */
inline tell(outcome, o) {
	tellApplication(outcome);
	callEach(known & ~done, o);
	if :: !(known & ~done) || END_BEFORE_ACKS -> next = finish :: else -> skip fi
}

/* Every branch is told to roll back, whatever it did, but those that have left. */
inline rollback() {
	state = rollingBack;
	done = left | (WORK_IS_NOT_UNDONE -> yes & ~twoPhase : 0);
	tell(wasRolledBack, ROLLBACK)
}

inline commit() {
	state = committing;
	tell(wasCommitted, COMMIT)
}

inline forget() {
	for (i : 0 .. N-1) { op[i] = 0; heard[i] = 0 }
	i = 0;
	known = 0; pending = 0; yes = 0; left = 0; done = 0;
	covered = false; replaced = false; leaving = false; patient = false; recorded = false
}

#define settledAs(outcome) (outcome == wasCommitted -> committed | performed | readOnly : rolledBack | readOnly)

inline finished() {
	history = (state == committing -> wasCommitted : wasRolledBack);
	promise(KEPT_until_all_are_done, !(known & ~settledAs(history)));
	if
	:: recorded && !broken && !NO_END && !TAKEN_UP_FOR_EVER -> assert(nfull(writes)); writes!ENDED, history
	:: else -> skip
	fi;
	forget();
	acknowledged = 0;
	state = away
}

#define mayPark ((covered || PARKED_UNRECORDED) && (!replaced || PARKED_ON_DELEGATION))

/* leave stops waiting: the transaction leaves memory once the journal cannot
   forget who is still to be told. */
inline leave() {
	if
	:: state != rollingBack || mayPark -> next = park
	:: state == rollingBack && !mayPark && !leaving -> leaving = true; force(ROLLED_BACK)
	:: else -> skip
	fi
}

inline parked() {
	promise(KEPT_while_parked, !(known & ~done & ~names) &&
		implies(state == committing, disk == COMMITTED) &&
		implies(state == asking, disk == DELEGATION) &&
		implies(state == rollingBack, disk == ROLLED_BACK || disk == INTENT || disk == ENLISTMENT));
	acknowledged = acknowledged | done;
	forget();
	state = away
}

inline hearForced(record) {
	if
	:: record == INTENT ->
		covered = true;
		if :: state == intending -> next = prepare :: else -> skip fi
	:: record == ROLLED_BACK ->
		covered = true; replaced = false;
		if :: leaving && state == rollingBack -> leave() :: else -> skip fi
	:: record == DELEGATION && state == delegating -> state = delegated; call(0, ONE_PHASE)
	:: record == COMMITTED && state == deciding -> next = toCommit
	:: else -> skip
	fi
}

inline hearForceFailed(record) {
	if
	:: FAILED_FORCE_IS_YES -> hearForced(record)
	:: !FAILED_FORCE_IS_YES && record == COMMITTED && state == deciding ->
		if
		:: FAILED_FORCE_IS_NO -> next = toRollback
		:: else -> forget(); state = inDoubt
		fi
	:: !FAILED_FORCE_IS_YES && undecided -> next = toRollback
	:: else -> skip
	fi
}

/* hear takes an answer to the last call of branch b. */
inline hear(b, result) {
	pending = pending & ~bit(b);
	heard[b] = 0;
	if
	:: voting && result == REFUSED -> next = toRollback
	:: voting && result != REFUSED ->
		yes = (result == READ_ONLY -> yes : yes | bit(b));
		left = (result == READ_ONLY -> left | bit(b) : left);
		done = (result == YES -> done : done | bit(b));
		next = goOn
	:: state == delegated || state == asking ->
		done = (result == DONE -> bit(b) : 0);
		next = (result == DONE -> toCommit : toRollback)
	:: state == rollingBack && result == YES && LATE_VOTE_COUNTS ->
		yes = yes | bit(b);
		next = goOn
	:: telling && !(result == YES && LATE_VOTE_COUNTS) ->
		promise(AC3_prepared_before_commit, implies(state == committing, result != REFUSED));
		done = done | bit(b);
		if :: !(known & ~done) || ONE_ACK_IS_ENOUGH -> next = finish :: else -> skip fi
	:: else -> skip
	fi
}

/* A call has failed or has taken too long. It may have had an effect, and may
   still have one. */
inline missAnswer(b) {
	pending = pending & ~bit(b);
	if
	:: voting && SILENCE_IS_YES -> yes = yes | bit(b); next = goOn
	:: voting && !SILENCE_IS_YES -> next = toRollback
	:: state == delegated && DOUBT_IS_NO -> next = toRollback
	:: state == delegated && !DOUBT_IS_NO -> state = asking; call(0, ASK)
	:: else -> skip
	fi
}

/* resume goes on from a record, or from what is known without one: Recovered. */
inline resume(record, branches) {
	known = branches & ~acknowledged;
	recorded = (record != NOTHING);
	if
	:: (record == COMMITTED && !COMMIT_MEANS_ROLLBACK) || (record == INTENT && INTENT_MEANS_COMMIT) -> next = toCommit
	:: record == DELEGATION && !DELEGATION_MEANS_ROLLBACK -> state = asking; call(0, ASK)
	:: else -> covered = (record != NOTHING); next = toRollback
	fi
}

proctype Transaction() {
	mtype:event e;
	mtype:next next = nothing;
	byte x, y;
end:	do
	:: atomic { event?e, x, y -> d_step {
		if
		:: e == askCommit   -> begin()
		:: e == askRollback -> next = toRollback
		:: e == answered    -> hear(x, y)
		:: e == unanswered  -> missAnswer(x)
		:: e == retryDue    -> call(x, (state == committing -> COMMIT : (state == asking -> ASK : ROLLBACK)))
		:: e == waitOver    -> leave()
		:: e == forced      -> hearForced(x)
		:: e == forceFailed -> hearForceFailed(x)
		:: e == takeUp      -> resume(x, y)
		fi;
		do
		:: next == prepare    -> next = goOn; state = preparing; callEach(twoPhase, PREPARE)
		:: next == goOn       -> next = nothing; work()
		:: next == decide     -> next = nothing; decided()
		:: next == toCommit   -> next = nothing; commit()
		:: next == toRollback -> next = nothing; rollback()
		:: next == finish     -> next = nothing; finished()
		:: next == park       -> next = nothing; parked()
		:: next == nothing    -> break
		od;
		e = 0; x = 0; y = 0 } }
	od
}

/* ======== package actors: what happens to a transaction in memory ======== */

/* When nothing fails, only a transaction that was taken up stops waiting, once
   every branch has had its call. */
#define mayLeave ((telling && !NO_RETRY || state == asking) && (!leaving || mayPark) && (!calm || !patient && !pending))

proctype Driver() {
	byte kept;
end:	do
	/* The application asks for an end; so does the deadline, and so does a coordinator
	   that closes. */
	:: atomic { state == begun -> event!askCommit, 0, 0 }
	:: atomic { undecided || (DEADLINE_WHILE_DECIDING && state == deciding) || (ROLLBACK_WHILE_COMMITTING && state == committing) ->
		disturbed = true;
		event!askRollback, 0, 0 }
	:: atomic { mayLeave -> event!waitOver, 0, 0 }
	/* The actor panics. Another one goes on from the journal, when that has written
	   everything it was given. */
	:: atomic { live && state != inDoubt && !calm ->
		disturbed = true;
		kept = known; forget(); known = kept; kept = 0;
		state = failed }
	:: atomic { state == failed && (empty(writes) || REVIVED_WITHOUT_BARRIER) && !broken ->
		patient = true;
		if
		:: unfinished(disk) -> event!takeUp, disk, names
		:: else -> event!takeUp, NOTHING, known
		fi }
	od
}

/* ======== package participant: one branch, and the way to it ======== */

#define at(set) ((set) & bit(me))
#define useful  (at(working) -> 31 & ~(NO_TOMBSTONE -> ROLLBACK : 0) & ~(ASK_LEAVES_NO_TRACE -> ASK : 0) : (at(prepared) -> COMMIT | ROLLBACK : (at(committed | performed) -> ROLLBACK : 0)))

inline move(from, to) {
	from = from & ~bit(me);
	to = to | bit(me);
	disturbed = disturbed || at(rolledBack)
}

/* settle looks at what the participant has done, and drops the calls that can have
   no effect any more and whose answer nobody waits for. */
inline settle() {
	sent[me] = sent[me] & (useful | ((pending & bit(me)) && !heard[me] -> op[me] : 0));
	checkBranches()
}

/* take is what the participant does when it takes a call: it brings its branch from
   one set to another, and answers. */
inline take(o, from, to, result) {
	d_step {
		move(from, to);
		if
		:: (pending & bit(me)) && (op[me] == o || ANY_ANSWER_COUNTS) -> heard[me] = heard[me] | result
		:: LATE_VOTE_COUNTS && result == YES && state == rollingBack -> heard[me] = heard[me] | result
		:: else -> skip
		fi;
		settle()
	}
}

/* What a prepared participant hears that asks what became of the transaction, or
   what the application does. Aborts are presumed, but only of what is neither live
   nor in the journal. Other answers say nothing. */
#define presumed       (state == away && history == unknown && disk == NOTHING)
#define saysCommitted  (state == committing || history == wasCommitted || (state == away && disk == COMMITTED) || (presumed && PRESUMED_COMMIT))
#define saysRolledBack (state == rollingBack || history == wasRolledBack || (presumed && !PRESUMED_COMMIT) || (undecided && LIVE_IS_UNKNOWN) || \
	(state == away && (disk == ENLISTMENT || disk == INTENT || disk == ROLLED_BACK)))
#define asks           (at(prepared) && !NO_SCAN && !(sent[me] & (COMMIT | ROLLBACK)))

proctype Branch(byte me) {
end:	do
	/* The answers to the last call arrive, or do not. A call of before the repair
	   may be lost. */
	:: atomic { (pending & bit(me)) && (heard[me] & YES) -> event!answered, me, YES }
	:: atomic { (pending & bit(me)) && (heard[me] & READ_ONLY) -> event!answered, me, READ_ONLY }
	:: atomic { (pending & bit(me)) && (heard[me] & DONE) -> event!answered, me, DONE }
	:: atomic { (pending & bit(me)) && (heard[me] & REFUSED) -> event!answered, me, REFUSED }
	:: atomic { (pending & bit(me)) && (!calm || !heard[me] && !(sent[me] & op[me])) ->
		disturbed = true;
		event!unanswered, me, 0 }
	:: atomic { (telling && !NO_RETRY || state == asking) && patient && (known & ~done & ~pending & bit(me)) ->
		event!retryDue, me, 0 }

	/* Calls arrive. */
	:: atomic { sent[me] & PREPARE ->
		if
		:: at(working)    -> take(PREPARE, working, prepared, YES)
		:: at(working)    -> take(PREPARE, working, readOnly, READ_ONLY)
		:: at(working)    -> take(PREPARE, working, rolledBack, REFUSED)
		:: at(working) && VOTE_BEFORE_DURABLE && !calm -> take(PREPARE, working, rolledBack, YES)
		:: at(prepared)   -> take(PREPARE, prepared, prepared, YES)
		:: at(readOnly)   -> take(PREPARE, readOnly, readOnly, READ_ONLY)
		:: at(committed)  -> take(PREPARE, committed, committed, YES)
		:: at(rolledBack) -> take(PREPARE, rolledBack, rolledBack, REFUSED)
		fi }
	:: atomic { (sent[me] & COMMIT) && (twoPhase & bit(me)) ->
		promise(AC3_prepared_before_commit, at(prepared | committed));
		if
		:: at(prepared)   -> take(COMMIT, prepared, committed, DONE)
		:: at(committed)  -> take(COMMIT, committed, committed, DONE)
		fi }
	:: atomic { (sent[me] & COMMIT) && !(twoPhase & bit(me)) ->
		if
		:: at(working)    -> take(COMMIT, working, performed, DONE)
		:: at(working)    -> take(COMMIT, working, rolledBack, REFUSED)
		:: at(performed)  -> take(COMMIT, performed, performed, DONE)
		:: at(rolledBack) -> take(COMMIT, rolledBack, rolledBack, REFUSED)
		fi }
	:: atomic { sent[me] & ONE_PHASE ->
		if
		:: at(working)    -> take(ONE_PHASE, working, committed, DONE)
		:: at(working)    -> take(ONE_PHASE, working, rolledBack, REFUSED)
		:: at(committed)  -> take(ONE_PHASE, committed, committed, DONE)
		:: at(rolledBack) -> take(ONE_PHASE, rolledBack, rolledBack, REFUSED)
		fi }
	:: atomic { sent[me] & ASK ->
		if
		:: at(working) && !ASK_LEAVES_NO_TRACE -> take(ASK, working, rolledBack, REFUSED)
		:: at(working) && ASK_LEAVES_NO_TRACE  -> take(ASK, working, working, REFUSED)
		:: at(committed)  -> take(ASK, committed, committed, DONE)
		:: at(rolledBack) -> take(ASK, rolledBack, rolledBack, REFUSED)
		fi }
	:: atomic { sent[me] & ROLLBACK ->
		promise(AC2_no_branch_reverses, !at(committed));
		if
		:: at(working) && !NO_TOMBSTONE -> take(ROLLBACK, working, rolledBack, DONE)
		:: at(working) && NO_TOMBSTONE  -> take(ROLLBACK, working, working, DONE)
		:: at(readOnly)   -> take(ROLLBACK, readOnly, readOnly, DONE)
		:: at(prepared)   -> take(ROLLBACK, prepared, rolledBack, DONE)
		:: at(performed)  -> take(ROLLBACK, performed, rolledBack, DONE)
		:: at(rolledBack) -> take(ROLLBACK, rolledBack, rolledBack, DONE)
		fi }

	/* What is not prepared it may lose, or drop of itself. */
	:: d_step { at(working) && !calm     -> move(working, rolledBack); settle() }
	:: d_step { at(prepared) && GIVES_UP -> move(prepared, rolledBack); settle() }
	:: atomic { asks && saysCommitted -> tellApplication(wasCommitted); sent[me] = sent[me] | COMMIT }
	:: atomic { asks && saysRolledBack -> tellApplication(wasRolledBack); sent[me] = sent[me] | ROLLBACK }

	/* The supervisor looks for what is in doubt here. A transaction that has finished
	   is told once more; of one that nobody knows, this branch is rolled back. */
	:: atomic { at(listed & (working | prepared)) && state == away && history != unknown && !sent[me] && !NO_SCAN ->
		sent[me] = (history == wasCommitted -> COMMIT : ROLLBACK) }
	:: atomic { at(listed & (working | prepared)) && state == away && history == unknown && !NO_SCAN &&
			(page == NOTHING || SCAN_IGNORES_JOURNAL) ->
		event!takeUp, NOTHING, bit(me) }
	:: atomic { at(listed & (working | prepared)) && SCAN_IGNORES_LIVE && live && page == NOTHING && !sent[me] ->
		sent[me] = ROLLBACK }
	od
}

/* ======== package supervisor: the process starts, and takes up what the journal holds ======== */

proctype Supervisor() {
end:	do
	:: atomic { state == down ->
		if :: RECOVERY_DOES_NOT_FORCE -> skip :: else -> synchronize() fi;
		broken = false;
		history = (page == ENDED -> pageNames : unknown);
		state = away }
	:: atomic { state == away && unfinished(page) && (history == unknown || TAKEN_UP_FOR_EVER) ->
		event!takeUp, page, pageNames }
	od
}

/* ======== package journal ======== */

proctype Journal() {
	byte record, n;
end:	do
	:: atomic { nempty(writes) && !broken && state != down ->
		writes?page, pageNames;
		if :: WRITTEN_IS_FORCED -> skip :: else -> synchronize() fi;
		if :: live -> event!forced, page, 0 :: else -> skip fi;
		if :: !live -> checkMemory() :: else -> skip fi }
	:: atomic { state != down && page != disk -> synchronize() }
	/* A force fails. Nothing, a part or all of it is on disk. */
	:: atomic { nempty(writes) && !broken && state != down && !calm ->
		disturbed = true; broken = true;
		if
		:: skip
		:: writes?<page, pageNames>
		:: do
		   :: n < len(writes) -> writes?page, pageNames; writes!page, pageNames; n++
		   :: else -> n = 0; break
		   od
		fi;
		synchronize() }
	:: atomic { nempty(writes) && broken && state != down ->
		writes?record, _;
		if :: live -> event!forceFailed, record, 0 :: else -> skip fi;
		record = 0 }
	od
}

/* ======== failures ======== */

proctype Failure() {
end:	do
	/* The process is killed. What it had given to the journal is on disk, or in
	   pages that the next process reads, or lost. */
	:: atomic { state != down && (!calm || broken) ->
		disturbed = true;
		do
		:: nempty(writes) && !broken -> writes?page, pageNames; synchronize()
		:: break
		od;
		do
		:: nempty(writes) && !broken -> writes?page, pageNames
		:: break
		od;
		do
		:: nempty(writes) -> writes?_, _
		:: empty(writes) -> break
		od;
		forget(); acknowledged = 0; history = unknown;
		state = down;
		checkMemory() }
	/* The power fails. */
	:: atomic { state == down && !calm && (page != disk || pageNames != names) -> losePages(); checkMemory() }
	od
}

/* Work that was not prepared may be forgotten in a crash, unless its participant can
   list it or the enlistment was forced. Its participant drops it when it likes. */
#define mayKeepWork (!durable && told != wasCommitted -> all & ~listed : 0)

proctype Repair() {
	/* From now on no failure happens. What is on its way may be lost still. */
	atomic {
		calm = true;
		for (i : 0 .. N-1) {
			if :: sent[i] = 0 :: skip fi
		}
		i = 0
	}
accept:	timeout ->
	promise(AC5_transaction_ends, state == away);
	promise(AC5_journal_forgets, !unfinished(disk) && empty(writes));
	promise(AC5_nobody_undecided, !prepared && !(working & ~mayKeepWork) && implies(committed | performed, told == wasCommitted));
	promise(AC4_commits_if_nothing_fails, disturbed || !(working | rolledBack))
}

/* ======== the start: any mix of branches, the order of two-phase ones aside ======== */

init {
	byte n, two, listing;
	atomic {
		n = 1;
		if
		:: sole = true; two = 1
		:: do :: break :: n < N -> n++ od;
		   do :: break :: two < n -> two++ od;
		   do :: break :: listing < two -> listing++ od
		fi;
		all = bit(n) - 1; twoPhase = bit(two) - 1; listed = bit(listing) - 1;
		working = all; known = all; patient = true;
		if
		:: skip
		:: durable = true; covered = true; recorded = true;
			disk = ENLISTMENT; names = all; losePages()
		fi;
		run Transaction(); run Driver(); run Supervisor(); run Journal(); run Failure(); run Repair();
		do
		:: n > 0 -> n--; run Branch(n)
		:: else -> break
		od
	}
}
