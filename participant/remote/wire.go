package remote

import (
	"google.golang.org/protobuf/proto"

	"github.com/seed-d36415c0/dtc/messages"
)

// role is what a message is to who gets it.
type role uint8

const (
	asking   role = iota + 1 // to a served participant
	replying                 // to who asked
)

// kind is a kind of message that crosses the network.
type kind struct {
	role role
	make func() proto.Message
}

// kinds lists them, by their names on the wire. There are no others.
var kinds = map[string]kind{
	wireName(&messages.Prepare{}):  {asking, func() proto.Message { return new(messages.Prepare) }},
	wireName(&messages.Commit{}):   {asking, func() proto.Message { return new(messages.Commit) }},
	wireName(&messages.Rollback{}): {asking, func() proto.Message { return new(messages.Rollback) }},
	wireName(&messages.Voted{}):    {replying, func() proto.Message { return new(messages.Voted) }},
	wireName(&messages.Acked{}):    {replying, func() proto.Message { return new(messages.Acked) }},
	wireName(&messages.Inquire{}):  {replying, func() proto.Message { return new(messages.Inquire) }},
	wireName(&messages.Decided{}):  {replying, func() proto.Message { return new(messages.Decided) }},
}

func wireName(m proto.Message) string { return string(proto.MessageName(m)) }
