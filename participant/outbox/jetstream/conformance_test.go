package jetstream_test

import (
	"context"
	"encoding/json"
	"path/filepath"
	"testing"
	"time"

	natsjs "github.com/nats-io/nats.go/jetstream"

	"github.com/seed-d36415c0/dtc/internal/servers"
	"github.com/seed-d36415c0/dtc/internal/serverstest"
	"github.com/seed-d36415c0/dtc/participant"
	"github.com/seed-d36415c0/dtc/participant/filestore"
	"github.com/seed-d36415c0/dtc/participant/outbox"
	"github.com/seed-d36415c0/dtc/participant/outbox/jetstream"
	"github.com/seed-d36415c0/dtc/participant/participanttest"
)

// A restart is that of the service and of the server, which is killed.
func TestConformance(t *testing.T) {
	t.Parallel()
	running := map[string]*servers.Server{}
	participanttest.Run(t, participanttest.Harness{Durable: true, Open: func(dir string) (*participanttest.Service, error) {
		server := running[dir]
		if server == nil {
			server = serverstest.NATS(t)
			running[dir] = server
		} else if err := server.Start(); err != nil {
			return nil, err
		}
		store, err := filestore.Open(filepath.Join(dir, "events"), nil)
		if err != nil {
			return nil, err
		}
		connection := connect(t, server.Addr(), nil)
		js, err := natsjs.New(connection)
		if err != nil {
			return nil, err
		}
		ctx := context.Background()
		stream, err := js.CreateOrUpdateStream(ctx, natsjs.StreamConfig{Name: "ORDERS", Subjects: []string{"orders.>"}, Duplicates: 10 * time.Minute})
		if err != nil {
			return nil, err
		}
		publisher, err := jetstream.New(connection, nil)
		if err != nil {
			return nil, err
		}
		p, err := outbox.New("events", publisher, &outbox.Options{Store: store})
		return &participanttest.Service{
			Participant: p,
			Payload:     func() []byte { return newBranch(t).Payload },
			Refused:     func() []byte { return branchOf(t, outbox.Message{Subject: "nowhere"}).Payload },
			Effects: func(b participant.Branch) (int, error) {
				var p struct{ Messages []outbox.Message }
				if err := json.Unmarshal(b.Payload, &p); err != nil {
					return 0, err
				}
				subject := p.Messages[0].Subject
				info, err := stream.Info(ctx, natsjs.WithSubjectFilter(subject))
				if err != nil {
					return 0, err
				}
				return int(info.State.Subjects[subject]), nil
			},
			Close: func() error {
				connection.Close()
				if err := store.Close(); err != nil {
					return err
				}
				return server.Kill()
			},
		}, err
	}})
}
