package redisbranch_test

import (
	"context"
	"encoding/json"
	"errors"
	"path/filepath"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/seed-d36415c0/dtc/internal/serverstest"
	"github.com/seed-d36415c0/dtc/participant"
	"github.com/seed-d36415c0/dtc/participant/participanttest"
	"github.com/seed-d36415c0/dtc/participant/redisbranch"
)

// Both kinds keep every promise; a restart is the server's, by SIGKILL. Each promise has a tag
// of its own.
func TestConformance(t *testing.T) {
	t.Parallel()
	kinds := map[string]func(*redis.Client, *redisbranch.Options) (participant.Participant, error){
		"two-phase": func(c *redis.Client, o *redisbranch.Options) (participant.Participant, error) {
			return redisbranch.OpenTCC(context.Background(), "shop", c, tcc, o)
		},
		"one-phase": func(c *redis.Client, o *redisbranch.Options) (participant.Participant, error) {
			return redisbranch.OpenSaga(context.Background(), "shop", c, action, o)
		},
	}
	for name, open := range kinds {
		t.Run(name, func(t *testing.T) {
			server := serverstest.Redis(t)
			opened := map[string]bool{}
			participanttest.Run(t, participanttest.Harness{Durable: true, Open: func(dir string) (*participanttest.Service, error) {
				if opened[dir] {
					if err := errors.Join(server.Kill(), server.Start()); err != nil {
						return nil, err
					}
				}
				opened[dir] = true
				client := newClient(t, server.Addr(), nil)
				p, err := open(client, &redisbranch.Options{Tag: filepath.Base(dir)})
				if err != nil {
					return nil, err
				}
				return service(p, client), nil
			}})
		})
	}
}

// service has keys of its own for each branch.
func service(p participant.Participant, client *redis.Client) *participanttest.Service {
	prepared := func(args ...string) []byte {
		left := unused("left")
		if err := client.Set(context.Background(), left, 1, 0).Err(); err != nil {
			panic(err)
		}
		return call(left, unused("reserved"), unused("taken"), args)
	}
	return &participanttest.Service{
		Participant: p,
		Payload:     func() []byte { return prepared() },
		Refused:     func() []byte { return prepared("dear") },
		// What is reserved after the end counts as an effect too.
		Effects: func(b participant.Branch) (int, error) {
			var c redisbranch.Call
			if err := json.Unmarshal(b.Payload, &c); err != nil {
				return 0, err
			}
			left, err := number(client, c.Keys[0])
			return 1 - left, err
		},
		Close: client.Close,
	}
}
