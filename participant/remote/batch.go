package remote

import (
	"slices"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/asynkron/protoactor-go/remote"
	"google.golang.org/protobuf/proto"
)

// batch is what is sent in one piece.
type batch struct {
	parcels []parcel
	size    int // no less than its length on the wire
	message remote.MessageBatch
}

// pack makes a batch of the first n of the messages, as many as the peer's limit
// allows, and refuses those of them that cannot be sent at all.
func (l *link) pack(some []parcel) (b *batch, n int) {
	b = new(batch)
	limit := l.node.config.MaxMessage
	for _, p := range some {
		size := framed(p)
		if size <= limit && b.size+size > limit {
			break
		}
		n++
		data, err := proto.Marshal(p.message)
		if size > limit {
			err = errTooLarge(size, limit)
		}
		if err != nil {
			l.node.refuse(p, err)
			continue
		}
		b.add(p, size, &remote.MessageEnvelope{
			TypeId:          index(&b.message.TypeNames, wireName(p.message)),
			MessageData:     data,
			Target:          indexOf(&b.message.Targets, p.to.GetAddress(), p.to.GetId()),
			TargetRequestId: p.to.GetRequestId(),
			Sender:          l.sender(b, p.sender),
			SenderRequestId: p.sender.GetRequestId(),
		})
	}
	return b, n
}

// framed is how long a message is at most, with all that is said about it.
func framed(p parcel) int {
	const frame = 512 // tags, lengths, numbers, the type's name and the sender's
	return proto.Size(p.message) + len(p.to.GetAddress()) + len(p.to.GetId()) + maxAddress + frame
}

func (b *batch) add(p parcel, size int, e *remote.MessageEnvelope) {
	b.parcels = append(b.parcels, p)
	b.size += size
	b.message.Envelopes = append(b.message.Envelopes, e)
}

// unlistened is the address of actors that were spawned before Listen.
const unlistened = "nonhost"

// sender is the number of who asks, under the name by which the peer knows him; 0
// for nobody, or for one who is not of this process.
func (l *link) sender(b *batch, who *actor.PID) int32 {
	if at := who.GetAddress(); who == nil || at != l.node.Address() && at != unlistened {
		return 0
	}
	return 1 + indexOf(&b.message.Senders, l.node.Address(), l.node.askers.name(who.GetId(), l.peer))
}

// wire is the batch as it is sent.
func (b *batch) wire() *remote.RemoteMessage {
	return &remote.RemoteMessage{MessageType: &remote.RemoteMessage_MessageBatch{MessageBatch: &b.message}}
}

// index is where the text is in the list; it is added where it is not. The lists of
// a batch are short.
func index(list *[]string, text string) int32 {
	i := slices.Index(*list, text)
	if i < 0 {
		i = len(*list)
		*list = append(*list, text)
	}
	return int32(i)
}

// indexOf is index for actors.
func indexOf(list *[]*actor.PID, address, id string) int32 {
	i := slices.IndexFunc(*list, func(p *actor.PID) bool { return p.Id == id && p.Address == address })
	if i < 0 {
		i = len(*list)
		*list = append(*list, actor.NewPID(address, id))
	}
	return int32(i)
}
