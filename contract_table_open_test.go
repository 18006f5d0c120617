package dtc_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"

	"github.com/seed-d36415c0/dtc"
	"github.com/seed-d36415c0/dtc/journal"
	"github.com/seed-d36415c0/dtc/participant"
)

// Row: unfinished transactions at Open. There are more than slots, and their
// participant hangs: Open and Begin are not held up, and few are tried at a time.
func TestContract_UnfinishedAtOpen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, release := newDisk(t), make(chan struct{})
		r := start(t, dtc.Config{Journal: d.journal()})
		dead, alive := newTwo(t, "dead"), newTwo(t, "alive")
		dead.every(commit, refuse)
		var ids []uuid.UUID
		for range 50 {
			id := r.begin(dead, alive)
			ids = append(ids, id)
			go func() { ok(t, r.Commit(background, id)) }()
		}
		pass(6 * time.Second)
		ok(t, r.Close())

		hangs, well := newTwo(t, "dead"), newTwo(t, "alive")
		hangs.every(commit, deaf(release))
		began := time.Now()
		after := reopenWith(t, d, dtc.Config{MaxTransactions: 3, RecoverySlots: 4}, hangs, well)
		if took := time.Since(began); took != 0 {
			t.Errorf("Open took %v", took)
		}
		pass(time.Second)
		after.live(0)
		if n := len(hangs.history()); n == 0 || n > 4 {
			t.Errorf("%d are tried at a time, want 1 to RecoverySlots", n)
		}
		var full []uuid.UUID
		for range 3 {
			full = append(full, after.begin(well))
		}
		for _, id := range full {
			ok(t, after.Commit(background, id))
		}
		list, err := after.Transactions(background, dtc.Filter{Parked: true})
		ok(t, err)
		if len(list) != 50 {
			t.Errorf("%d are listed, want 50", len(list))
		}
		for _, id := range ids {
			after.outcome(id, dtc.Committed)
		}
		close(release)
		pass(5 * time.Minute)
		for _, id := range ids {
			if hangs.effects[id] != 1 {
				t.Errorf("%s took effect %d times: %s", id, hangs.effects[id], hangs.of(id))
			}
		}
		if list, _ := after.Transactions(background, dtc.Filter{}); len(list) != 0 {
			t.Errorf("%d are not finished", len(list))
		}
	})
}

// Row: hostile names and payloads.
func TestContract_HostileNamesAndPayloads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, dtc.Config{MaxPayload: 1000})
		id := r.begin()
		for _, name := range []string{
			"", strings.Repeat("x", 129), strings.Repeat("x", 1<<20), "a\x00b", "a\nb", "\x7f", "\u0085", "a\xffb", "\t",
		} {
			p := newTwo(t, name)
			for what, err := range map[string]error{
				"Enlist":   r.Enlist(background, id, p, nil),
				"Execute":  r.Execute(background, nil, dtc.Enlistment{Participant: p}),
				"Register": r.Register(p),
			} {
				if !errors.Is(err, dtc.ErrInvalidName) {
					t.Errorf("%s of %.20q: %v", what, name, err)
				}
				if err != nil && len(err.Error()) > 1000 {
					t.Errorf("%s of %.20q: an error of %d bytes", what, name, len(err.Error()))
				}
			}
			as[*dtc.InvalidNameError](t, r.Enlist(background, id, p, nil))
			is(t, r.Run(background, nil, func(tx *dtc.Tx) error {
				return tx.Enlist(background, p, nil)
			}), dtc.ErrInvalidName, dtc.ErrRolledBack)
			p.expect("")
			if _, err := dtc.Open(quietSystem(), dtc.Config{Participants: []participant.Participant{p}}); !errors.Is(err, dtc.ErrInvalidName) {
				t.Errorf("Open with %.20q: %v", name, err)
			}
		}
		is(t, r.Enlist(background, id, nil, nil), dtc.ErrInvalidName)

		big := newTwo(t, "big")
		for _, size := range []int{1001, 1 << 20} {
			payload := []byte(strings.Repeat(secret, size)[:size])
			err := r.Enlist(background, id, big, payload)
			is(t, err, dtc.ErrPayloadTooLarge)
			if e := as[*dtc.PayloadTooLargeError](t, err); e.Participant != "big" || e.Size != size || e.Limit != 1000 {
				t.Errorf("%+v", e)
			}
			if strings.Contains(err.Error(), secret) {
				t.Error("the error shows the payload")
			}
			is(t, r.Execute(background, nil, dtc.Enlistment{Participant: big, Payload: payload}), dtc.ErrPayloadTooLarge)
		}
		big.expect("")
		payload := []byte(strings.Repeat(secret, 1000)[:1000])
		ok(t, r.Enlist(background, id, big, payload))
		copy(payload, "changed") // ours to change once Enlist has returned
		odd := newTwo(t, strings.Repeat("ü", 64))
		ok(t, r.Enlist(background, id, odd, []byte{0, 0xff, 0}))
		ok(t, r.Commit(background, id))
		for _, c := range big.history() {
			if !strings.HasPrefix(c.payload, secret) || len(c.payload) != 1000 {
				t.Errorf("%s got another payload: %.20q", c.op, c.payload)
			}
		}
		odd.expect("prepare commit")
	})
}

// Row: hostile names and payloads: recovery reads back the same bytes.
func TestContract_HostileNamesAndPayloads_Recovered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDisk(t)
		r := start(t, dtc.Config{Journal: d.journal()})
		name, payload := "a\u202e=\"x\" %s {}ü", "\x00\xff\n\r\x1b[2J"+secret
		p := newTwo(t, name)
		p.every(commit, refuse)
		ok(t, r.Execute(background, &dtc.TxOptions{Label: name}, dtc.Enlistment{Participant: p, Payload: []byte(payload)}))
		ok(t, r.Close())
		q := newTwo(t, name)
		after := reopen(t, d, q)
		synctest.Wait()
		if h := q.history(); len(h) != 1 || h[0].op != commit || h[0].payload != payload {
			t.Errorf("recovered: %+v", h)
		}
		for _, line := range append(after.log.with("participant="), r.log.with("participant=")...) {
			if strings.ContainsAny(line, "\x00\x1b\r") {
				t.Errorf("raw bytes in the log: %q", line)
			}
		}
	})
}

// closeCase is a transaction in some phase when its coordinator closes.
type closeCase struct {
	a, b   *two
	hold   string // what b is doing meanwhile
	free   bool   // b goes on during the grace period
	want   dtc.Outcome
	answer error // of Commit; nil for success
}

// Row: Close, in every phase.
func TestContract_Close(t *testing.T) {
	for name, c := range map[string]closeCase{
		"active":               {want: dtc.RolledBack},
		"preparing":            {hold: prepare, want: dtc.RolledBack, answer: dtc.ErrRolledBack},
		"preparing, goes on":   {hold: prepare, free: true, want: dtc.RolledBack, answer: dtc.ErrRolledBack},
		"committing":           {hold: commit, want: dtc.Committed},
		"committing, goes on":  {hold: commit, free: true, want: dtc.Committed},
		"rolling back":         {hold: rollback, want: dtc.RolledBack, answer: dtc.ErrRolledBack},
		"rolling back goes on": {hold: rollback, free: true, want: dtc.RolledBack, answer: dtc.ErrRolledBack},
	} {
		t.Run(name, func(t *testing.T) { synctest.Test(t, func(t *testing.T) { closeIn(t, c) }) })
	}
}

func closeIn(t *testing.T, c closeCase) {
	d, release := newDisk(t), make(chan struct{})
	r := start(t, dtc.Config{Journal: d.journal()})
	c.a, c.b = newTwo(t, "a"), newTwo(t, "b")
	if c.hold != "" {
		c.b.every(c.hold, deaf(release))
	}
	if c.hold == rollback {
		c.a.next(prepare, refuse)
	}
	id := r.begin(c.a, c.b)
	answers := make(chan error, 1)
	if c.hold != "" {
		go func() { answers <- r.Commit(background, id) }()
	}
	pass(time.Second)
	closed := make(chan error, 1)
	go func() { closed <- r.Close() }()
	pass(time.Second)
	is(t, second(r.Begin(background, nil)), dtc.ErrClosed)
	if c.free {
		close(release)
	}
	began := time.Now()
	ok(t, <-closed)
	if took := time.Since(began); took > 15*time.Second {
		t.Errorf("Close took %v", took)
	}
	if c.hold != "" {
		if err := <-answers; c.answer == nil {
			ok(t, err)
		} else {
			is(t, err, c.answer)
		}
	}
	ok(t, r.Close())
	if !c.free {
		close(release)
	}
	synctest.Wait()
	afterClose(t, r, id)

	last := map[dtc.Outcome]string{dtc.Committed: commit, dtc.RolledBack: rollback}[c.want]
	p, q := newTwo(t, "a"), newTwo(t, "b")
	after := reopen(t, d, p, q)
	after.outcome(id, c.want)
	pass(time.Minute)
	for i, before := range []*two{c.a, c.b} {
		told := before.became(id) != "" && before.became(id) != "prepared" || after.fakes[i].of(id) == last
		if !told {
			t.Errorf("%s was told %q, and after reopening %q", before.name, before.of(id), after.fakes[i].of(id))
		}
	}
	if list, _ := after.Transactions(background, dtc.Filter{}); len(list) != 0 {
		t.Errorf("%+v is not finished", list)
	}
}

// afterClose: every method answers ErrClosed.
func afterClose(t *testing.T, r *rig, id uuid.UUID) {
	t.Helper()
	p := newTwo(t, "unheard-of")
	for name, err := range map[string]error{
		"Begin":        second(r.Begin(background, nil)),
		"Enlist":       r.Enlist(background, id, p, nil),
		"Commit":       r.Commit(background, id),
		"Rollback":     r.Rollback(background, id),
		"Outcome":      second(r.Outcome(background, id)),
		"Execute":      r.execute(p),
		"Run":          r.Run(background, nil, func(*dtc.Tx) error { t.Error("work was called"); return nil }),
		"Retry":        r.Retry(background, id),
		"Resolve":      r.Resolve(background, id, dtc.Resolution{Participant: "a", Act: dtc.ActForgotten, Reason: "test"}),
		"Register":     r.Register(p),
		"Transactions": second(r.Transactions(background, dtc.Filter{})),
		"Inspect":      second(r.Inspect(background, id)),
		"Participants": second(r.Participants(background)),
		"Drain":        r.Drain(background),
	} {
		if !errors.Is(err, dtc.ErrClosed) {
			t.Errorf("%s after Close: %v, want ErrClosed", name, err)
		}
	}
	p.expect("")
}

// Row: Close, with many transactions in each phase at once, within its grace.
func TestContract_Close_Many(t *testing.T) {
	eachJournal(t, func(t *testing.T, j journal.Journal) {
		r := start(t, dtc.Config{Journal: j, MaxTransactions: 300})
		release := make(chan struct{})
		held := map[string]*two{}
		for _, op := range []string{prepare, commit, rollback} {
			held[op] = newTwo(t, fmt.Sprint("held in ", op))
			held[op].every(op, deaf(release))
		}
		refuser := newTwo(t, "refuser")
		refuser.every(prepare, refuse)
		answers := make(chan error, 150)
		for range 50 {
			r.begin(newTwo(t, "idle"))
			go func() { answers <- r.execute(held[prepare]) }()
			go func() { answers <- r.execute(held[commit]) }()
			go func() { answers <- r.execute(held[rollback], refuser) }()
		}
		pass(time.Second)
		began := time.Now()
		ok(t, r.Close())
		if took := time.Since(began); took > 15*time.Second {
			t.Errorf("Close took %v", took)
		}
		committed := 0
		for range 150 {
			if err := <-answers; err == nil {
				committed++
			} else {
				is(t, err, dtc.ErrRolledBack)
			}
		}
		if committed != 50 {
			t.Errorf("%d were told committed, want 50", committed)
		}
		close(release)
	})
}

// Row: Close answers those who wait for a slot, and does not wait for parked
// transactions.
func TestContract_Close_WaitingAndParked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, dtc.Config{MaxTransactions: 1, WaitForSlot: true})
		dead := newTwo(t, "dead")
		dead.every(commit, refuse)
		ok(t, r.execute(dead))
		r.begin()
		waits := make(chan error)
		go func() { waits <- second(r.Begin(background, nil)) }()
		synctest.Wait()
		began := time.Now()
		go func() { ok(t, r.Close()) }()
		is(t, <-waits, dtc.ErrClosed)
		ok(t, r.Close())
		if took := time.Since(began); took != 0 {
			t.Errorf("Close took %v, and had nothing to wait for", took)
		}
	})
}

// Drain stops admitting and waits for what is live.
func TestContract_Drain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, dtc.Config{})
		a := newTwo(t, "a")
		a.every(commit, refuse)
		ok(t, r.execute(a)) // parked: not waited for
		a.every(commit, nil)
		id := r.begin(a)
		drained := make(chan error, 1)
		go func() { drained <- r.Drain(background) }()
		pass(time.Second)
		is(t, second(r.Begin(background, nil)), dtc.ErrClosed)
		select {
		case err := <-drained:
			t.Fatalf("Drain answered %v while a transaction was live", err)
		default:
		}
		ok(t, r.Commit(background, id))
		ok(t, <-drained)
		ok(t, r.Drain(background))
		r.outcome(id, dtc.Committed)
	})
}
