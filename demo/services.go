package main

import (
	"errors"
	"path/filepath"

	"github.com/seed-d36415c0/dtc"
	"github.com/seed-d36415c0/dtc/participant"
	"github.com/seed-d36415c0/dtc/participant/ledger"
)

// Accounts of the services, beside an inventory account for each item.
const (
	customerPrefix = "customer/" // what a customer has to spend, in cents
	merchant       = "merchant"  // what the merchant has been paid, in cents
	places         = "places"    // what the carrier has room for, in parcels
	parcels        = "parcels"   // what is scheduled to be shipped
)

// carrierPlaces is more than ever will be shipped.
const carrierPlaces = maxOrders * maxLines

// service is one of the three that an order goes through. Each keeps a ledger in
// a file of its own, and the coordinator gives each an actor of its own, the
// gateway through which all its calls go.
type service struct {
	name string
	// entries is what an order does to the service's accounts.
	entries func(order) []ledger.Entry
}

func services() []service {
	return []service{
		{"inventory", func(o order) []ledger.Entry {
			var all []ledger.Entry
			for _, l := range o.Lines {
				all = append(all, ledger.Entry{Account: l.Item, Delta: -l.Quantity})
			}
			return all
		}},
		{"payment", func(o order) []ledger.Entry {
			total := o.total()
			return []ledger.Entry{{Account: customerPrefix + o.Customer, Delta: -total}, {Account: merchant, Delta: total}}
		}},
		{"shipping", func(o order) []ledger.Entry {
			n := int64(len(o.Lines)) // each line is a parcel
			return []ledger.Entry{{Account: places, Delta: -n}, {Account: parcels, Delta: n}}
		}},
	}
}

// openLedger opens a service's file. It remembers every order's branch, for the
// audit asks for all of them.
func openLedger(dir, name string) (*ledger.Ledger, error) {
	return ledger.Open(name, filepath.Join(dir, name+".ledger"), &ledger.Options{Limit: 4 * maxOrders})
}

// backends are the services at work.
type backends struct {
	ledgers      []*ledger.Ledger
	participants []participant.Participant // what stands between them and the coordinator
}

func openBackends(dir string) (*backends, error) {
	b := &backends{}
	for _, s := range services() {
		l, err := openLedger(dir, s.name)
		if err != nil {
			return nil, errors.Join(err, b.close())
		}
		b.ledgers = append(b.ledgers, l)
		b.participants = append(b.participants, l)
	}
	return b, nil
}

// disturb puts chaos between the services and the coordinator.
func (b *backends) disturb(o odds) {
	for i, l := range b.ledgers {
		b.participants[i] = &chaos{Preparer: l, odds: o}
	}
}

func (b *backends) close() error {
	var err error
	for _, l := range b.ledgers {
		err = errors.Join(err, l.Close())
	}
	return err
}

// seed opens the accounts that do not exist yet.
func (b *backends) seed(opening map[account]int64) error {
	for _, l := range b.ledgers {
		accounts := make(map[string]ledger.Account)
		for a, balance := range opening {
			if a.Service == l.Name() {
				accounts[a.Name] = ledger.Account{Balance: balance}
			}
		}
		if err := l.Seed(accounts); err != nil {
			return err
		}
	}
	return nil
}

// reserved tells whether any service still holds something for an order that is
// neither committed nor rolled back there.
func (b *backends) reserved() (bool, error) {
	for _, l := range b.ledgers {
		if held, err := l.Reservations(); err != nil || len(held) > 0 {
			return true, err
		}
	}
	return false, nil
}

// enlistments is what an order asks of each service.
func (b *backends) enlistments(o order) []dtc.Enlistment {
	var all []dtc.Enlistment
	for i, s := range services() {
		payload := ledger.Payload{Entries: s.entries(o), Memo: o.Name}
		all = append(all, dtc.Enlistment{Participant: b.participants[i], Payload: payload.Encode()})
	}
	return all
}
