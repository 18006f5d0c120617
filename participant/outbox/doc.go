// Package outbox is a participant that publishes messages if, and only if, the
// transaction commits: the order is in the database and its event is in the
// stream, or neither is.
//
//	publisher, err := jetstream.New(connection, nil) // or package kafka, or a Publisher of your own
//	events, err := outbox.New("events", publisher, nil)
//	coordinator, err := dtc.Open(system, dtc.Config{Name: "shop", Journal: journal,
//		Participants: []participant.Participant{events, stock}}) // so that a restart can go on
//
//	placed, err := outbox.Encode(outbox.Message{Subject: "orders.placed", Data: order})
//	err = coordinator.Run(ctx, nil, func(tx *dtc.Tx) error {
//		if err := tx.Enlist(ctx, stock, reserve); err != nil { return err }
//		return tx.Enlist(ctx, events, placed)
//	})
//
// # How it works
//
// There is no outbox table: the coordinator's journal is the outbox, for it has
// the payload already. The branch is two-phase and no participant.Recoverer, so
// the coordinator forces the messages to its journal before phase one, and never
// gives up phase two. Prepare checks that the messages can be published, and has
// no effect. Commit publishes them one after the other, and acknowledges when the
// broker has stored them all; until then it is repeated, and what it waits for
// shows in Coordinator.Inspect. Rollback has nothing to undo. An empty list of
// messages is a read-only vote. The coordinator's Config.MaxPayload, 64 KiB where
// nothing is said, bounds what a branch publishes, as Encode returns it.
//
// # What it guarantees
//
// Messages of a transaction that rolled back are never published: Commit is told
// only after the commit record is on disk, and nothing is published before.
// Messages of one that committed are published, as surely as the journal is kept:
// with a journal in memory they are lost with the process. Prepare does not hold
// a place: where a stream fills up or is deleted between Prepare and Commit, the
// branch waits until a person has made room.
//
// A message is published with an id, the same each time:
//
//	TRANSACTION/COORDINATOR/PARTICIPANT/N         names escaped as in a URL, N counts from 0
//
// Publishing is repeated when an answer was lost, and when the coordinator is
// restarted before its journal has that the branch was acknowledged. That record
// is not forced, but goes with the next one that is: after a crash what was
// acknowledged last is published again. The publisher says how duplicates are kept
// from consumers, and until when. Options.Store in a file remembers what was
// published, so that only a crash between the broker's answer and the store's
// record repeats it. A consumer that must not act twice has to drop what it has
// seen by the id, whatever the broker does.
//
// The messages of one branch are stored in their order. Between transactions
// there is no order: a transaction that commits later may publish earlier.
//
// # What is remembered
//
// A late Prepare or Commit after Rollback is refused with participant.ErrRolledBack
// for as long as Options.Store remembers. By default that is the process's memory.
// That is enough: Prepare has no effect, and the coordinator, whose commit record
// comes first, never tells Commit of a branch that it rolled back. For the same
// reason Commit of a branch that is not remembered publishes: after a restart the
// messages of what was decided come from the journal alone.
package outbox
