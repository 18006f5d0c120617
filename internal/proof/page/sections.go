package main

const preface = `# Proof

What this project does to deserve trust, counted. Nothing on this page is typed:
every figure was counted by the tests while the page was made, and anybody can make
it again:

` + "```" + `
make proof
` + "```" + `

The protocol is a pure state machine (package protocol): it has no clock, no
goroutine and no disk, so that a simulator, an exhaustive search and the real
actors drive the very same code. Atomic commitment is what Bernstein, Hadzilacos
and Goodman define (Concurrency Control and Recovery in Database Systems, 1987,
chapter 7): AC1 all that reach a decision reach the same one; AC2 nobody reverses
one; AC3 commit only if all voted yes; AC4 commit if all voted yes and nothing
failed; AC5 when failures end, all decide.
`

// section is a part of the page.
type section struct {
	title   string
	text    string
	figures []string // in which order
	without string   // what to say where there are no figures; empty if there must be
}

var sections = []section{
	{"Simulated transactions", "Each seed is one run of a world of its own: several transactions at a time over\n" +
		"participants of every kind, a network that loses, duplicates, delays and reorders, a\n" +
		"journal whose unsynced tail is lost, kept or cut, syncs that fail, crashes of the\n" +
		"coordinator or of any participant before any single effect. Every seed is new. A\n" +
		"failure prints the seed, and the seed replays it (`go test ./internal/simulator -run TestSeed -seed N -v`).",
		[]string{"seeds"}, ""},
	{"Crash points", "A crash before every single effect of fixed scenarios, with the unsynced tail of the\n" +
		"journal lost and kept; and every pair of such, the second inside the recovery from\n" +
		"the first.",
		[]string{"crash_points"}, ""},
	{"What a transaction costs", "Counted in runs without a failure, forced writes at the coordinator. The textbook is\n" +
		"presumed abort as Mohan, Lindsay and Obermarck give it (R*, 1986), where aborts are not\n" +
		"acknowledged and a participant that has prepared can ask; here those are told that\n" +
		"cannot, for which an intent is recorded.",
		[]string{"costs"}, ""},
	{"Planted bugs", "A test that cannot see proves nothing. Each of these bugs was built into a copy of the\n" +
		"code, one at a time, and found; one that survives fails the build.",
		[]string{"planted"}, ""},
	{"Models", "The protocol as it is built, modelled in Promela, and searched by Spin for every\n" +
		"interleaving; each model again with mistakes planted, every one of which is found.",
		[]string{"models"}, "Not searched: Spin was not there when this page was made."},
	{"Killed processes", "The coordinator and each participant run in processes of their own, on real files,\n" +
		"and are killed with SIGKILL at random moments and at named points. After each round\n" +
		"the books are audited from the participants' own files.",
		[]string{"kills"}, ""},
	{"Lost power", "The journal on a file system that forgets what was not synced, in part or in whole.\n" +
		"The control is the same test with syncs that do nothing: it does lose records, so the\n" +
		"test can see losses.",
		[]string{"power_losses"}, ""},
	{"Failing disks", "An error injected into every change of the file system, one at a time.",
		[]string{"io_errors"}, ""},
	{"Damaged files", "Bytes flipped, and files cut, everywhere: in the journal, then in the participants' files.",
		[]string{"damage", "damaged_files"}, ""},
	{"What callers saw", "Histories of many callers racing for the same transactions, checked for\n" +
		"linearizability (porcupine); and random calls against a model of the contract (rapid).",
		[]string{"histories", "state_machine"}, ""},
	{"Panics", "Panics, and handlers that end their goroutine, in every kind of actor and in\n" +
		"everything a user plugs in, with transactions around them.",
		[]string{"chaos"}, ""},
	{"Soak", "Transactions of mixed fate, and what is left behind.",
		[]string{"soak"}, ""},
}

const uncovered = `
* Disks that lie: a sync that returns and has not synced, beyond what the control above shows; corruption
  of synced data in the last 64 KiB of the newest log (journal/pebble says why it cannot be told from a torn end).
* Clocks that jump: deadlines are taken from the monotonic clock; the wall clock only stamps records and IDs.
* Participants that break their promises: one that votes yes and then loses the branch breaks atomicity,
  whatever the coordinator does. Run participanttest against yours.
* Isolation between transactions: that is the participants' own.
* Malice: messages are trusted.
* A journal that another owner can take over: there is none yet. A coordinator that has been fenced off and has not
  heard of it goes on reading; the simulator's TestFencedCoordinatorReads shows what that leads to, and is open.
* Weak memory models and the Go runtime: the race detector runs over the tests, and sees what they reach.
* More than two branches in the exhaustive search, and more than one transaction in the Promela models; the
  simulator has several of both, but does not visit every interleaving.
`
