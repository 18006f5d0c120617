package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	stdslog "log/slog"
	"path/filepath"
	"sync"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/google/uuid"
	"golang.org/x/exp/slog"

	"github.com/seed-d36415c0/dtc"
	"github.com/seed-d36415c0/dtc/journal"
	"github.com/seed-d36415c0/dtc/journal/pebble"
)

// Times of the coordinator.
const (
	// remembered is how long outcomes are kept: a run may be gone on with as long.
	remembered = 10 * 365 * 24 * time.Hour
	// patience is how long a service's call may take when services are known to
	// hang.
	patience = 300 * time.Millisecond
	// settling is how long to wait for services to do what is decided.
	settling = 30 * time.Second
)

// shop is the demo at work in one data directory.
type shop struct {
	site        site
	book        *book
	backends    *backends
	coordinator *dtc.Coordinator
	figures     *figures
	workers     int
}

// openShop opens everything in the directory. Only one process can.
func openShop(dir string, o options, log io.Writer, onEvent func(dtc.Event)) (*shop, error) {
	s := &shop{workers: o.workers}
	if err := s.open(dir, o, log, onEvent); err != nil {
		return nil, errors.Join(err, s.close())
	}
	return s, nil
}

func (s *shop) open(dir string, o options, log io.Writer, onEvent func(dtc.Event)) error {
	var err error
	if s.site, err = openSite(dir, o); err != nil {
		return err
	}
	if s.backends, err = openBackends(dir, s.site); err != nil {
		return err
	}
	if o.chaos {
		s.backends.disturb(defaultOdds())
	}
	if s.book, err = openBook(dir); err != nil {
		return err
	}
	j, err := pebble.Open(filepath.Join(dir, "journal"), nil)
	if err != nil {
		return err
	}
	s.coordinator, err = openCoordinator(j, s.site, s.backends, log, onEvent)
	if err != nil {
		return errors.Join(err, j.Close())
	}
	return nil
}

func openCoordinator(j journal.Journal, s site, b *backends, log io.Writer, onEvent func(dtc.Event)) (*dtc.Coordinator, error) {
	o := s.options
	handler := stdslog.NewTextHandler(log, &stdslog.HandlerOptions{Level: o.level})
	system := actor.NewActorSystem(actor.WithLoggerFactory(func(*actor.ActorSystem) *stdslog.Logger {
		return stdslog.New(handler)
	}))
	config := dtc.Config{
		Name:            s.Coordinator,
		Journal:         j,
		Participants:    b.participants,
		MaxTransactions: o.workers,
		RecoverySlots:   o.workers,
		WaitForSlot:     true,
		Retry:           dtc.Backoff{Initial: 10 * time.Millisecond, Max: time.Second},
		Retention:       remembered,
		Logger:          slog.New(dtc.SlogHandler(handler)),
		OnEvent:         onEvent,
	}
	if o.chaos {
		config.ParticipantTimeout = patience
	}
	return dtc.Open(system, config)
}

// close closes whatever is open.
func (s *shop) close() error {
	var err error
	if s.coordinator != nil {
		err = s.coordinator.Close()
	}
	if s.backends != nil {
		err = errors.Join(err, s.backends.close())
	}
	if s.book != nil {
		err = errors.Join(err, s.book.close())
	}
	return err
}

// serve does what there is to do, until it is done or ctx ends; what is under way
// then is finished.
func (s *shop) serve(ctx context.Context) error {
	todo, err := s.resume(ctx)
	if err != nil {
		return err
	}
	if err := s.book.try(todo); err != nil {
		return err
	}
	if err := s.work(ctx, todo); err != nil {
		return err
	}
	return s.settle(context.WithoutCancel(ctx))
}

// resume answers the orders that an earlier process left committed but
// unanswered, and returns those that are still to be done: tried and rolled back
// or never decided, or not yet tried. An undecided transaction of an earlier
// process never commits any more, so its order may be tried again under another.
func (s *shop) resume(ctx context.Context) ([]*entry, error) {
	if err := s.settle(ctx); err != nil {
		return nil, err
	}
	var todo []*entry
	for _, e := range s.book.unanswered() {
		committed := false
		if id := e.last(); id != uuid.Nil {
			outcome, err := s.coordinator.Outcome(context.WithoutCancel(ctx), id)
			if err != nil && !errors.Is(err, dtc.ErrTransactionNotFound) {
				return nil, fmt.Errorf("order %q: %w", e.order.Name, err)
			}
			committed = outcome == dtc.Committed
		}
		if !committed {
			todo = append(todo, e)
			continue
		}
		s.figures.start()
		if err := s.tell(e, nil); err != nil {
			return nil, err
		}
	}
	return todo, nil
}

// settle waits until every service has done what is decided.
func (s *shop) settle(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, settling)
	defer cancel()
	poll := time.NewTicker(20 * time.Millisecond)
	defer poll.Stop()
	for {
		left, err := s.coordinator.Transactions(context.WithoutCancel(ctx), dtc.Filter{Limit: 1})
		if err != nil {
			return err
		}
		reserved, err := s.backends.reserved()
		if err != nil || !reserved && len(left) == 0 {
			return err
		}
		select {
		case <-poll.C:
		case <-ctx.Done():
			return nil // the audit tells what is left
		}
	}
}

// work places the orders, so many at a time. The first failure that is none of an
// order's own ends it.
func (s *shop) work(ctx context.Context, todo []*entry) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	queue := make(chan *entry)
	var workers sync.WaitGroup
	for range s.workers {
		workers.Go(func() {
			for e := range queue {
				if err := s.place(e); err != nil {
					stop(err)
				}
			}
		})
	}
	for i := 0; i < len(todo) && ctx.Err() == nil; i++ {
		select {
		case queue <- todo[i]:
		case <-ctx.Done():
		}
	}
	close(queue)
	workers.Wait()
	if err := context.Cause(ctx); err != nil && !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

// place runs an order's transaction to its end, and tells its customer. Its
// context never ends: whoever gives up waiting would not know the outcome.
func (s *shop) place(e *entry) error {
	s.figures.start()
	options := &dtc.TxOptions{ID: e.last(), Label: e.order.Name}
	err := s.coordinator.Execute(context.Background(), options, s.backends.enlistments(e.order)...)
	if err != nil && !errors.Is(err, dtc.ErrRolledBack) {
		s.figures.end(nil)
		return fmt.Errorf("order %q: %w", e.order.Name, err)
	}
	return s.tell(e, err)
}

// tell tells an order's customer what became of it: nil if it is committed, else
// why it was rolled back.
func (s *shop) tell(e *entry, why error) error {
	a := &answer{Order: e.order.Name, Outcome: dtc.Committed.String()}
	if why != nil {
		a.Outcome, a.Cause, a.Reason = dtc.RolledBack.String(), causeOf(why), reasonOf(why)
	}
	err := s.book.tell(e, a)
	s.figures.end(a)
	return err
}
