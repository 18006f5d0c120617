// Package simulator proves the coordinator's protocol on a world that one seed
// decides: its network, its disk, its participants, its callers and everything
// that goes wrong with them.
//
// What is proved is the real [protocol.Transaction], and what a record means to
// it when it is taken up again ([protocol.Recovered]). Around it stands a second
// shell, which does what packages actors and supervisor do, without goroutines
// and with a clock of its own: a transaction with its deadlines, calls, retries
// and callers; the journal's writer; admission, parking, delivery, in-doubt
// scans, inquiries and history. The journal behaves as package journal says, and
// participants remember what participant.Idempotent does; tests hold these two
// models against the real ones.
//
// A run has three parts. Several transactions are worked on at a time, while an
// adversary loses, repeats, delays and reorders messages, has participants
// refuse, fail and hang, has syncs fail, lets another owner take the journal over,
// and crashes any node before any single thing that it does. Then the faults stop.
// And some time later everything must be at rest.
//
// The invariants are named in file invariants.go. They are checked whenever
// something happens, and at rest. The first that is broken ends the run; its seed
// replays it:
//
//	go test ./internal/simulator -run TestSeed -seed N -v
package simulator
