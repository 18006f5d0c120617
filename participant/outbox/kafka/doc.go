// Package kafka publishes the messages of an outbox to Apache Kafka.
//
//	client, err := kgo.NewClient(kgo.SeedBrokers(brokers...))
//	publisher, err := kafka.New(client)
//	events, err := outbox.New("events", publisher, nil)
//
// A message goes to the topic that its Subject names, to the partition that the
// client chooses by its Key, with its id in the header [IDHeader]. It is
// acknowledged when all in-sync replicas have it.
//
// # Once, and when twice
//
// Kafka knows nothing of the id. While the process lives a message is stored once:
// the client's producer is idempotent, and a call that is repeated waits for the
// record that is under way instead of making another. When the process ends
// between the broker's storing a message and the journal's record of it, the next
// coordinator publishes it again: consumers have to drop what they have seen by
// the id in its header. Two copies have the same key, and so are in the same
// partition as long as the number of partitions stays.
//
// # What Prepare checks
//
// That the topic exists, has a leader for each partition, and takes a message of
// this size, as far as the broker tells: without the right to describe the topic's
// settings the client's own limit counts alone. What is refused comes with a
// [*TopicError], [*SizeError] or [*MessageError].
//
// # What the operator sets
//
// Topics with a replication factor of 3 and min.insync.replicas of 2: with fewer, a
// broker's loss can lose what was acknowledged. [New] refuses a client whose
// producer is not idempotent, does not wait for all in-sync replicas, is
// transactional, or gives up a record before it knows what became of it, with a
// [*ClientError].
//
// The tests run against kfake, the fake broker of the client's authors, and not
// against Kafka itself.
package kafka
