package pebble

import (
	"bytes"
	"encoding/hex"
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/seed-d36415c0/dtc/journal"
)

var goldenID = uuid.MustParse("0196e0f2-3b1c-7d6e-8f00-1234567890ab")

// golden is what this version writes. A change here is a change of the layout:
// journals that exist could no longer be read.
var golden = []struct {
	name  string
	write journal.Write
	key   string
	value string
}{
	{
		"enlistment",
		journal.Write{Put: &journal.Record{Transaction: goldenID, Kind: journal.Enlistment}},
		"72 0196e0f23b1c7d6e8f001234567890ab",
		"01 01 ff23400100d44000 00000000 00000000 00000000",
	},
	{
		"intent",
		journal.Write{Put: &journal.Record{Transaction: goldenID, Kind: journal.Intent, Began: epoch, Label: "order 7",
			Branches: []journal.Branch{{Participant: "stock", Pending: true, Payload: []byte{0xca, 0xfe}}}}},
		"72 0196e0f23b1c7d6e8f001234567890ab",
		"01 02 00060a24181e4000 00000007 6f726465722037 00000000 00000001" +
			"02 00000005 73746f636b 00000002 cafe",
	},
	{
		"delegation",
		journal.Write{Put: &journal.Record{Transaction: goldenID, Kind: journal.Delegation, Began: epoch,
			Branches: []journal.Branch{{Participant: "db", TwoPhase: true, Pending: true}}}},
		"72 0196e0f23b1c7d6e8f001234567890ab",
		"01 03 00060a24181e4000 00000000 00000000 00000001" +
			"03 00000002 6462 00000000",
	},
	{
		"commit",
		journal.Write{Put: &journal.Record{Transaction: goldenID, Kind: journal.Commit, Began: epoch,
			Branches: []journal.Branch{{Participant: "a", TwoPhase: true}, {Participant: "b"}}}},
		"72 0196e0f23b1c7d6e8f001234567890ab",
		"01 04 00060a24181e4000 00000000 00000000 00000002" +
			"01 00000001 61 00000000" +
			"00 00000001 62 00000000",
	},
	{
		"rollback",
		journal.Write{Put: &journal.Record{Transaction: goldenID, Kind: journal.Rollback, Began: time.UnixMicro(-1), Heuristic: "by hand"}},
		"72 0196e0f23b1c7d6e8f001234567890ab",
		"01 05 ffffffffffffffff 00000000 00000007 62792068616e64 00000000",
	},
	{
		"committed",
		journal.Write{End: &journal.Ended{Transaction: goldenID, Outcome: journal.Committed, Finished: epoch}},
		"6f 80060a24181e4000 0196e0f23b1c7d6e8f001234567890ab",
		"01 01 00000000 00000000",
	},
	{
		"committed, with members",
		journal.Write{End: &journal.Ended{Transaction: goldenID, Outcome: journal.Committed, Finished: epoch, Heuristic: "by hand",
			Members: []string{"db", "stock"}}},
		"6f 80060a24181e4000 0196e0f23b1c7d6e8f001234567890ab",
		"01 01 00000007 62792068616e64 00000002" +
			"00000002 6462" +
			"00000005 73746f636b",
	},
	{
		"rolled back",
		journal.Write{End: &journal.Ended{Transaction: goldenID, Outcome: journal.RolledBack, Finished: time.UnixMicro(-2), Heuristic: "by hand"}},
		"6f 7ffffffffffffffe 0196e0f23b1c7d6e8f001234567890ab",
		"01 02 00000007 62792068616e64 00000000",
	},
	{
		"header",
		journal.Write{Header: &journal.Header{Coordinator: "shop", Horizon: goldenID}},
		"68",
		"01 0196e0f23b1c7d6e8f001234567890ab 73686f70",
	},
}

// encode makes key and value of a write.
func encode(w journal.Write) (key, value []byte) {
	switch {
	case w.Put != nil:
		return appendRecordKey(nil, w.Put.Transaction), appendRecord(nil, w.Put)
	case w.End != nil:
		return appendOutcomeKey(nil, instantOf(w.End.Finished), w.End.Transaction), appendOutcome(nil, w.End)
	default:
		return headerKey, appendHeader(nil, w.Header)
	}
}

// decode makes a write of key and value, as reading does.
func decode(key, value []byte) (w journal.Write, err error) {
	switch {
	case len(key) > 0 && key[0] == recordSpace:
		r, err := decodeRecord(key, value)
		return journal.Write{Put: &r}, err
	case len(key) > 0 && key[0] == outcomeSpace:
		e, err := decodeOutcome(key, value)
		return journal.Write{End: &e}, err
	default:
		h, err := decodeHeader(value)
		return journal.Write{Header: &h}, err
	}
}

func size(w journal.Write) int {
	switch {
	case w.Put != nil:
		return recordSize(w.Put)
	case w.End != nil:
		return outcomeSize(w.End)
	default:
		return headerSize(w.Header)
	}
}

func unhex(t testing.TB, s string) []byte {
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestCodec_Golden(t *testing.T) {
	for _, g := range golden {
		key, value := encode(g.write)
		if want := unhex(t, g.key); !bytes.Equal(key, want) {
			t.Errorf("%s: key\n\t%x, want\n\t%x", g.name, key, want)
		}
		if want := unhex(t, g.value); !bytes.Equal(value, want) {
			t.Errorf("%s: value\n\t%x, want\n\t%x", g.name, value, want)
		}
		if size(g.write) != len(value) {
			t.Errorf("%s: size %d, encoded to %d bytes", g.name, size(g.write), len(value))
		}
		w, err := decode(key, value)
		if err != nil {
			t.Errorf("%s: %v", g.name, err)
			continue
		}
		if k, v := encode(w); !bytes.Equal(k, key) || !bytes.Equal(v, value) {
			t.Errorf("%s: decoded to %+v", g.name, w)
		}
	}
}

// Every value that is cut, extended, or of another version is refused.
func TestCodec_Strict(t *testing.T) {
	for _, g := range golden {
		key, value := encode(g.write)
		refuse := func(what string, key, value []byte, want error) {
			t.Helper()
			if _, err := decode(key, value); !errors.Is(err, want) {
				t.Errorf("%s, %s: %v, want %v", g.name, what, err, want)
			}
		}
		open := g.write.Header != nil // the last part takes what there is
		for n := range value {
			if open && n >= headerFixed {
				break
			}
			refuse("cut", key, value[:n], journal.ErrCorrupt)
		}
		if !open {
			refuse("extended", key, append(slices.Clone(value), 0), journal.ErrCorrupt)
		}
		if g.write.Header == nil {
			refuse("long key", append(slices.Clone(key), 0), value, journal.ErrCorrupt)
			refuse("short key", key[:len(key)-1], value, journal.ErrCorrupt)
			for _, kind := range []byte{0, 6, 255} {
				other := slices.Clone(value)
				other[1] = kind
				refuse("unknown kind", key, other, journal.ErrCorrupt)
			}
		}
		newer := slices.Clone(value)
		newer[0]++
		refuse("newer", key, newer, journal.ErrFormat)
	}
	huge := unhex(t, "01 04 00060a24181e4000 00000000 ffffffff")
	if _, err := decodeRecord(appendRecordKey(nil, goldenID), huge); !errors.Is(err, journal.ErrCorrupt) {
		t.Errorf("four billion branches: %v", err)
	}
	huge = unhex(t, "01 01 00000000 ffffffff")
	if _, err := decodeOutcome(appendOutcomeKey(nil, instantOf(epoch), goldenID), huge); !errors.Is(err, journal.ErrCorrupt) {
		t.Errorf("four billion members: %v", err)
	}
}

// A value that decodes encodes to the same bytes: there is one encoding for
// everything, and nothing is overlooked.
func FuzzDecode(f *testing.F) {
	for _, g := range golden {
		f.Add(unhex(f, g.key), unhex(f, g.value))
	}
	f.Fuzz(func(t *testing.T, key, value []byte) {
		w, err := decode(key, value)
		if err != nil {
			if !errors.Is(err, journal.ErrCorrupt) && !errors.Is(err, journal.ErrFormat) {
				t.Fatalf("untyped error %v", err)
			}
			return
		}
		k, v := encode(w)
		if w.Header == nil && !bytes.Equal(k, key) || !bytes.Equal(v, value) {
			t.Fatalf("%x = %x decodes to %+v, which encodes to %x = %x", key, value, w, k, v)
		}
		if size(w) != len(v) {
			t.Fatalf("size %d, encoded to %d bytes", size(w), len(v))
		}
	})
}

// What is encoded decodes to the same.
func FuzzEncode(f *testing.F) {
	f.Add(uint8(4), int64(0), "order 7", "by hand", "stock", []byte{0xca, 0xfe}, uint8(2))
	f.Add(uint8(1), int64(-1), "", "", "", []byte(nil), uint8(0))
	f.Add(uint8(5), int64(1)<<62, "\x00", "\xff", "a\x00b", make([]byte, 300), uint8(200))
	f.Fuzz(func(t *testing.T, kind uint8, micros int64, label, heuristic, name string, payload []byte, branches uint8) {
		at := time.UnixMicro(micros).UTC()
		r := journal.Record{
			Transaction: goldenID, Kind: journal.Enlistment + journal.Kind(kind)%journal.Rollback, Began: at,
			Label: label, Heuristic: heuristic,
		}
		var members []string
		for i := range int(branches) {
			b := journal.Branch{Participant: name[:len(name)*i/int(branches)], TwoPhase: i%2 == 0, Pending: i%3 == 0}
			if part := payload[len(payload)*i/int(branches):]; len(part) > 0 {
				b.Payload = part
			}
			r.Branches = append(r.Branches, b)
			members = append(members, b.Participant)
		}
		e := journal.Ended{
			Transaction: goldenID, Outcome: journal.Committed + journal.Outcome(kind)%journal.RolledBack,
			Finished: at, Heuristic: heuristic, Members: members,
		}
		h := journal.Header{Coordinator: name, Horizon: goldenID}
		for _, w := range []journal.Write{{Put: &r}, {End: &e}, {Header: &h}} {
			got, err := decode(encode(w))
			if err != nil || !reflect.DeepEqual(got, w) {
				t.Fatalf("%+v decodes to %+v, %v", w, got, err)
			}
		}
	})
}
