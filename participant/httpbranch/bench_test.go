package httpbranch_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/google/uuid"

	"github.com/seed-d36415c0/dtc"
	"github.com/seed-d36415c0/dtc/journal/pebble"
	"github.com/seed-d36415c0/dtc/participant"
	"github.com/seed-d36415c0/dtc/participant/httpbranch"
)

// noop answers at once: what is measured is the way to it.
type noop struct{ name string }

func (n noop) Name() string                                     { return n.name }
func (noop) Commit(context.Context, participant.Branch) error   { return nil }
func (noop) Rollback(context.Context, participant.Branch) error { return nil }

type noopTwoPhase struct{ noop }

func (noopTwoPhase) Prepare(context.Context, participant.Branch) error { return nil }

var order = bytes.Repeat([]byte(`{"a": 1}`), 12)

// bare is what the same call costs with net/http alone.
func bare(b *testing.B) func(context.Context) error {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, err := io.ReadAll(r.Body); err != nil {
			b.Error(err)
		}
		w.WriteHeader(http.StatusNoContent)
	}))
	b.Cleanup(s.Close)
	transport := &http.Transport{MaxIdleConnsPerHost: 1024, DisableCompression: true}
	b.Cleanup(transport.CloseIdleConnections)
	client := &http.Client{Transport: transport}
	return func(ctx context.Context) error {
		r, err := http.NewRequestWithContext(ctx, http.MethodPost, s.URL+"/prepare", bytes.NewReader(order))
		if err != nil {
			return err
		}
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Dtc-Transaction", uuid.NewString())
		answer, err := client.Do(r)
		if err != nil {
			return err
		}
		_, err = io.Copy(io.Discard, answer.Body)
		answer.Body.Close()
		return err
	}
}

func remote(b *testing.B, p participant.Participant, o *httpbranch.Options) participant.Participant {
	s := httptest.NewServer(httpbranch.Handler(p, nil))
	b.Cleanup(s.Close)
	c, err := httpbranch.New(p.Name(), s.URL, o)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { c.(io.Closer).Close() })
	return c
}

// load makes calls from so many callers.
func load(b *testing.B, callers int, call func(context.Context) error) {
	b.ReportAllocs()
	b.ResetTimer()
	var left atomic.Int64
	left.Store(int64(b.N))
	done := make(chan error, callers)
	for range callers {
		go func() {
			for left.Add(-1) >= 0 {
				ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
				err := call(ctx)
				cancel()
				if err != nil {
					done <- err
					return
				}
			}
			done <- nil
		}()
	}
	for range callers {
		if err := <-done; err != nil {
			b.Error(err)
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "op/s")
}

func BenchmarkCall(b *testing.B) {
	for _, callers := range []int{1, 10, 100} {
		b.Run(fmt.Sprintf("bare/%d", callers), func(b *testing.B) { load(b, callers, bare(b)) })
		b.Run(fmt.Sprintf("httpbranch/%d", callers), func(b *testing.B) {
			p := remote(b, noop{"stock"}, &httpbranch.Options{OnePhase: true})
			load(b, callers, func(ctx context.Context) error {
				return p.Commit(ctx, participant.Branch{Coordinator: "shop", Transaction: uuid.New(), Participant: "stock", Payload: order})
			})
		})
	}
}

// BenchmarkTransaction is a whole transaction with three services against as many
// bare calls.
func BenchmarkTransaction(b *testing.B) {
	for _, callers := range []int{1, 10, 100} {
		for _, calls := range []int{3, 6} {
			b.Run(fmt.Sprintf("bare-%d/%d", calls, callers), func(b *testing.B) {
				call := bare(b)
				load(b, callers, func(ctx context.Context) error {
					for range calls {
						if err := call(ctx); err != nil {
							return err
						}
					}
					return nil
				})
			})
		}
		b.Run(fmt.Sprintf("one-phase/%d", callers), func(b *testing.B) { transactions(b, callers, true) })
		b.Run(fmt.Sprintf("two-phase/%d", callers), func(b *testing.B) { transactions(b, callers, false) })
	}
}

func transactions(b *testing.B, callers int, onePhase bool) {
	j, err := pebble.Open(b.TempDir(), nil)
	if err != nil {
		b.Fatal(err)
	}
	var enlistments []dtc.Enlistment
	for _, name := range []string{"stock", "payment", "shipping"} {
		var p participant.Participant = noop{name}
		if !onePhase {
			p = noopTwoPhase{noop{name}}
		}
		enlistments = append(enlistments, dtc.Enlistment{Participant: remote(b, p, &httpbranch.Options{OnePhase: onePhase}), Payload: order})
	}
	system := actor.NewActorSystem()
	b.Cleanup(system.Shutdown)
	c, err := dtc.Open(system, dtc.Config{Name: "shop", Journal: j, MaxTransactions: 200})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { c.Close() })
	load(b, callers, func(ctx context.Context) error {
		return c.Execute(ctx, nil, enlistments...)
	})
}
