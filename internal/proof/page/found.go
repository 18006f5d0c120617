package main

import (
	"fmt"
	"os/exec"
	"strings"
)

const foundText = `Bugs of this project that the proofs and readings above found, before any user
did, and the commit that mended each. Every one has a test of its own since.`

// bugFound is one bug.
type bugFound struct {
	what string
	by   string
	in   string // the subject of the commit that mended it
}

// found writes the table of bugs. A commit that is not in the history yet, or
// a history that is not there, leaves its subject alone.
func found() (string, error) {
	commits := make(map[string]string)
	if out, err := exec.Command("git", "log", "--format=%h %s").Output(); err == nil {
		for line := range strings.Lines(string(out)) {
			hash, subject, _ := strings.Cut(strings.TrimSpace(line), " ")
			commits[subject] = hash
		}
	}
	var b strings.Builder
	b.WriteString("| bug | found by | mended in |\n| --- | --- | --- |\n")
	for _, f := range bugsFound {
		in := f.in
		if hash := commits[f.in]; hash != "" {
			in = hash + " " + in
		}
		fmt.Fprintf(&b, "| %s | %s | %s |\n", f.what, f.by, in)
	}
	return b.String(), nil
}

const (
	reading   = "actors, supervisor: what a hostile reading found"
	foreign   = "dtc: what participants answer is never taken for our own outcome"
	resolving = "actors: Resolve answers when the journal has it"
	simulated = "actors, supervisor: what the simulator found"
	late      = "dtc: Run tells of a branch that came too late, also when the actor has gone"
	slot      = "supervisor: a slot is free before the one who waits is told"
	members   = "supervisor: only a member is told to commit"
)

var bugsFound = []bugFound{
	{"With more unfinished transactions than are listed, a committed one could be called rolled back: while the list was read again, or where a read failed", "reading, with tests", reading},
	{"A branch that was being told again to commit was rolled back when the outcome expired meanwhile", "reading, with tests", reading},
	{"An actor that died while its commit record was being forced went on from what a journal showed that had failed or could not be read", "reading, with tests", reading},
	{"A journal without a name took one while transactions were unfinished, whose branches the participants knew under none", "trial by a user", reading},
	{"An enlistment behind the end of its transaction left an actor that nothing woke", "reading; simulator", reading},
	{"A durable enlistment was never answered if its transaction ended first", "reading; histories; simulator", reading},
	{"Who asked to commit while the coordinator closed and the journal hung was never answered", "reading, with tests", reading},
	{"Calls queued behind a participant that hangs kept their payloads for ever", "reading, with a heap profile", reading},
	{"One foreign id among those that a participant lists kept every chosen id from beginning", "reading, with tests", reading},
	{"While draining, a live transaction could not enlist a new participant", "reading, with tests", reading},
	{"A call during Begin, under a chosen id, found a transaction that took no calls, and a rollback was lost", "histories", reading},
	{"A second Run under the same id, while the first was being committed, rolled it back", "trial by a user", reading},
	{"A branch in doubt could wait for the next regular question when another one under the same id was not taken at once", "crash loop of the demo", reading},
	{"A listener, a journal or a participant that panics or ends the goroutine at the wrong moment lost an answer, or a worker", "panics in every actor", reading},
	{"A payload was copied too late: its caller could give up, write something else there, and that was committed", "trial by a user, race detector", foreign},
	{"A participant that returns ErrRolledBack of a transaction of its own made an unknown outcome look rolled back", "trial by a user", foreign},
	{"What a person had settled by hand could be lost with the power, after Resolve had returned", "reading", resolving},
	{"After a panic, branches that came too late for a committed transaction were told to commit", "simulator", simulated},
	{"A late answer to the question what became of a branch counted as an acknowledgement", "simulator", simulated},
	{"Transactions of a participant that stays away, more than the list holds, kept all others from being taken up", "simulator", simulated},
	{"Run answered nil although a branch that it had enlisted came too late, and was rolled back", "simulator", late},
	{"The caller of a transaction whose actor kept dying could have his answer a moment before its slot was free", "contract test, race detector", slot},
	{"A participant that holds unprepared work of a committed transaction it was no member of was told to commit it", "model", members},
}
