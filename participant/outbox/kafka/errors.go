package kafka

import "fmt"

// ClientError refuses a client whose producer could lose or repeat messages.
type ClientError struct {
	// Reason says what to set.
	Reason string
}

func (e *ClientError) Error() string { return "kafka: bad client: " + e.Reason }

// TopicError refuses a topic that takes no message now.
type TopicError struct {
	Topic string
	// Err is what the broker says of it.
	Err error
}

func (e *TopicError) Error() string { return fmt.Sprintf("kafka: topic %q: %s", e.Topic, e.Err) }

// Unwrap returns what the broker says of the topic.
func (e *TopicError) Unwrap() error { return e.Err }

// SizeError refuses a message that is too large.
type SizeError struct {
	Topic string
	// Size is that of the message with its header and what Kafka adds, at most, in
	// bytes.
	Size, Limit int64
	// Setting is the one that limits it: the topic's "max.message.bytes" or the
	// client's "ProducerBatchMaxBytes".
	Setting string
}

func (e *SizeError) Error() string {
	return fmt.Sprintf("kafka: the message has up to %d bytes with its header, %s of topic %q is %d", e.Size, e.Setting, e.Topic, e.Limit)
}

// MessageError refuses a message that cannot be told by its id.
type MessageError struct {
	Reason string
}

func (e *MessageError) Error() string { return "kafka: bad message: " + e.Reason }
