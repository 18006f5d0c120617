package chaos

import (
	"errors"
	"testing"

	"github.com/google/uuid"
	"google.golang.org/protobuf/proto"

	"github.com/seed-d36415c0/dtc/messages"
)

// identified is a message that names a transaction.
type identified interface {
	proto.Message
	GetTransaction() []byte
	ID() (uuid.UUID, error)
}

// Whatever comes over the network is a message with an id, or one with an error;
// and a message that is sent arrives as it is.
func FuzzMessages(f *testing.F) {
	id := uuid.Must(uuid.NewV7())
	b := &messages.Branch{Coordinator: "shop", Transaction: id[:], Participant: "stock", Payload: []byte{1}}
	p := &messages.Prepare{Branch: b, Attempt: 7, ExpiresUnixMs: 1}
	for _, m := range []proto.Message{
		b, p.Yes(), p.No(errStruck), p.AlreadyRolledBack(), (&messages.Commit{Branch: b}).Done(), b.Inquire(),
		b.Inquire().Decided(messages.Outcome_OUTCOME_COMMITTED), &messages.Voted{Transaction: id[:15]}, &messages.Branch{},
	} {
		data, err := proto.Marshal(m)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, m := range []identified{
			&messages.Branch{}, &messages.Voted{}, &messages.Acked{}, &messages.Inquire{}, &messages.Decided{},
		} {
			if proto.Unmarshal(data, m) != nil {
				continue
			}
			found, err := m.ID()
			short := (*messages.TransactionIDError)(nil)
			if ok := len(m.GetTransaction()) == len(found); ok != (err == nil) || !ok && !errors.As(err, &short) {
				t.Fatalf("%T, id of %d bytes: %v", m, len(m.GetTransaction()), err)
			}
			again, err := proto.Marshal(m)
			if err != nil {
				t.Fatalf("%T: %v", m, err)
			}
			arrived := m.ProtoReflect().New().Interface().(identified)
			if err := proto.Unmarshal(again, arrived); err != nil || !proto.Equal(m, arrived) {
				t.Fatalf("%v arrives as %v, %v", m, arrived, err)
			}
			if same, _ := arrived.ID(); same != found {
				t.Fatalf("id %v arrives as %v", found, same)
			}
		}
	})
}
