package main

import (
	"errors"

	"github.com/seed-d36415c0/dtc"
	"github.com/seed-d36415c0/dtc/participant"
	"github.com/seed-d36415c0/dtc/participant/ledger"
)

// Accounts of the services, beside an inventory account for each item.
const (
	customerPrefix = "customer/" // what a customer has to spend, in cents
	merchant       = "merchant"  // what the merchant has been paid, in cents
	room           = "places"    // what the carrier has room for, in parcels
	parcels        = "parcels"   // what is scheduled to be shipped
)

// carrierRoom is more than ever will be shipped.
const carrierRoom = maxOrders * maxLines

// service is one of the three that an order goes through. The coordinator gives
// each an actor of its own, the gateway through which all its calls go.
type service struct {
	name string
	// place is where the service keeps its accounts.
	place func(site) place
	// entries is what an order does to the service's accounts.
	entries func(order) []ledger.Entry
}

func services() []service {
	return []service{
		{"inventory", func(s site) place { return s.Inventory }, func(o order) []ledger.Entry {
			var all []ledger.Entry
			for _, l := range o.Lines {
				all = append(all, ledger.Entry{Account: l.Item, Delta: -l.Quantity})
			}
			return all
		}},
		{"payment", func(s site) place { return s.Payment }, func(o order) []ledger.Entry {
			total := o.total()
			return []ledger.Entry{{Account: customerPrefix + o.Customer, Delta: -total}, {Account: merchant, Delta: total}}
		}},
		{"shipping", func(s site) place { return s.Shipping }, func(o order) []ledger.Entry {
			n := int64(len(o.Lines)) // each line is a parcel
			return []ledger.Entry{{Account: room, Delta: -n}, {Account: parcels, Delta: n}}
		}},
	}
}

// backends are the services at work.
type backends struct {
	keepers      keepers
	participants []participant.Participant // what stands between them and the coordinator
}

func openBackends(dir string, at site) (*backends, error) {
	b := &backends{}
	for _, s := range services() {
		k, err := at.open(dir, s)
		if err != nil {
			return nil, errors.Join(err, b.close())
		}
		b.keepers = append(b.keepers, k)
		b.participants = append(b.participants, k.participant())
	}
	return b, nil
}

// disturb puts chaos between the services and the coordinator.
func (b *backends) disturb(o odds) {
	for i, k := range b.keepers {
		b.participants[i] = &chaos{Preparer: k.participant(), odds: o}
	}
}

func (b *backends) close() error { return b.keepers.close() }

// seed opens the accounts that do not exist yet.
func (b *backends) seed(opening map[account]int64) error {
	for i, s := range services() {
		accounts := make(map[string]int64)
		for a, balance := range opening {
			if a.Service == s.name {
				accounts[a.Name] = balance
			}
		}
		if err := b.keepers[i].seed(accounts); err != nil {
			return err
		}
	}
	return nil
}

// reserved tells whether any service still holds something for an order that is
// neither committed nor rolled back there.
func (b *backends) reserved() (bool, error) {
	for _, k := range b.keepers {
		if held, err := k.held(); err != nil || len(held) > 0 {
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
