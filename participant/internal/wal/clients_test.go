package wal_test

import (
	"context"
	"errors"
	"path/filepath"
	"testing"

	"github.com/google/uuid"

	"github.com/seed-d36415c0/dtc/participant"
	"github.com/seed-d36415c0/dtc/participant/filestore"
	"github.com/seed-d36415c0/dtc/participant/internal/wal"
	"github.com/seed-d36415c0/dtc/participant/ledger"
)

// raw is a file of any records.
type raw [][]byte

func (raw) Replay([]byte) error { return nil }
func (r raw) Snapshot(add func([]byte)) {
	for _, record := range r {
		add(record)
	}
}

// written makes a file with these records, in the format of somebody else's.
func written(t *testing.T, format string, records ...[]byte) string {
	path := filepath.Join(t.TempDir(), "file")
	l, err := wal.Open(path, raw(records), wal.Options{Format: format})
	if err == nil {
		err = l.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// Records with a checksum that fits, and any content, are a store, or damage.
func FuzzStore(f *testing.F) {
	f.Add([]byte(`{"coordinator":"c2hvcA==","transaction":"0196e0f2-3b1c-7d6e-8f00-1234567890ab","participant":"c3RvY2s=","state":4}`), []byte(`{}`))
	f.Add([]byte(`{"transaction":"0196e0f2-3b1c-7d6e-8f00-1234567890ab"}`), []byte(`{"state":255}`))
	f.Fuzz(func(t *testing.T, one, two []byte) {
		s, err := filestore.Open(written(t, "dtc store 1", one, two), nil)
		if err != nil {
			if !errors.Is(err, filestore.ErrCorrupt) {
				t.Fatal(err)
			}
			return
		}
		key := participant.Key{Transaction: uuid.Must(uuid.NewV7())}
		if err := errors.Join(s.Save(context.Background(), key, participant.Committed), s.Close()); err != nil {
			t.Fatal(err)
		}
	})
}

// The same for a ledger.
func FuzzLedger(f *testing.F) {
	f.Add([]byte(`{"op":"seed","name":"a","account":{"balance":5}}`),
		[]byte(`{"op":"prepare","transaction":"0196e0f2-3b1c-7d6e-8f00-1234567890ab","payload":{"entries":[{"account":"a","delta":-1}]}}`))
	f.Add([]byte(`{"op":"seed","name":"a"}`), []byte(`{"op":"commit","payload":{"entries":[{"account":"b","delta":1}]}}`))
	f.Add([]byte(`{"op":"rollback"}`), []byte(`{"op":"forget"}`))
	f.Fuzz(func(t *testing.T, one, two []byte) {
		path := written(t, "dtc ledger 1", one, two)
		for again := range 3 { // what is read is written, and can be read again
			l, err := ledger.Open("bank", path, nil)
			if again == 0 && errors.Is(err, ledger.ErrCorrupt) {
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			_, err = l.Reservations()
			if err := errors.Join(err, l.Close()); err != nil {
				t.Fatal(err)
			}
		}
	})
}
