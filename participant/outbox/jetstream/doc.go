// Package jetstream publishes the messages of an outbox to NATS JetStream.
//
//	connection, err := nats.Connect(url)
//	publisher, err := jetstream.New(connection, nil)
//	events, err := outbox.New("events", publisher, nil)
//
// A message goes to the stream that takes its subject, with its id in the header
// Nats-Msg-Id, and is acknowledged when the stream has stored it.
//
// # Once, and when twice
//
// The stream drops a message whose id it has stored within its duplicate window,
// also across restarts of the server. So a message is in the stream twice only if
// it is published again later than that: because the coordinator was down, or
// could not reach the server, for longer than the window, after the server had
// stored the message and before the coordinator's journal had on disk that it was
// acknowledged. Set the window to the longest such time, with Options.Window at
// the same value: Prepare refuses a stream whose window is shorter with a
// [*WindowError]. The server keeps the ids of a window in memory, some hundred
// bytes for each message.
//
// A consumer that gets a message again, because it did not acknowledge it or
// because the window had passed, knows it by the header Nats-Msg-Id.
//
// # What Prepare checks
//
// That a stream takes the subject, acknowledges, is on disk, is not sealed, and is
// not full where a full one refuses new messages; that the message is within the
// server's and the stream's limits; and the window. What is refused comes with a
// [*StreamError], [*SizeError], [*WindowError] or [*MessageError]. A user with
// limited rights needs that to publish to $JS.API.STREAM.LIST. What changes between
// Prepare and Commit has Commit repeated, and so have limits that are not looked
// at: those of the account and of the disk, and those for each subject of a stream
// (discard_new_per_subject).
//
// # What the operator sets
//
// The stream's retention and limits decide what becomes of a stored message; a
// stream that drops old messages drops them unread. A single server acknowledges
// before it syncs its disk, so that a power failure loses the last minutes: use
// three replicas, or, from server version 2.10 on, "sync_interval: always". The
// tests run server version 2.9.10.
package jetstream
