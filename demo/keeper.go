package main

import (
	"errors"
	"path/filepath"

	"github.com/google/uuid"

	"github.com/seed-d36415c0/dtc/participant"
	"github.com/seed-d36415c0/dtc/participant/ledger"
)

// keeper keeps the accounts of one service, and does to them what orders ask.
type keeper interface {
	// participant is what orders are enlisted with.
	participant() participant.Preparer
	// seed opens those of the accounts that do not exist yet.
	seed(opening map[string]int64) error
	// held lists what is done for orders and neither committed nor rolled back.
	held() ([]hold, error)
	// outcomes tells what became of transactions.
	outcomes(ids []uuid.UUID) (map[uuid.UUID]participant.State, error)
	// balances are those of all accounts.
	balances() (map[string]int64, error)
	close() error
}

// hold is what a service holds for an order.
type hold struct {
	transaction uuid.UUID
	memo        string // the order's name, where the service knows it
}

// ledgerKeeper keeps the accounts in a file.
type ledgerKeeper struct {
	ledger      *ledger.Ledger
	coordinator string
}

// openLedger opens a service's file. It remembers every order's branch, for the
// audit asks for all of them.
func openLedger(dir, service, coordinator string) (*ledgerKeeper, error) {
	l, err := ledger.Open(service, filepath.Join(dir, service+".ledger"), &ledger.Options{Limit: 4 * maxOrders})
	if err != nil {
		return nil, err
	}
	return &ledgerKeeper{l, coordinator}, nil
}

func (k *ledgerKeeper) participant() participant.Preparer { return k.ledger }

func (k *ledgerKeeper) close() error { return k.ledger.Close() }

func (k *ledgerKeeper) seed(opening map[string]int64) error {
	accounts := make(map[string]ledger.Account)
	for name, balance := range opening {
		accounts[name] = ledger.Account{Balance: balance}
	}
	return k.ledger.Seed(accounts)
}

func (k *ledgerKeeper) held() ([]hold, error) {
	reservations, err := k.ledger.Reservations()
	var all []hold
	for _, r := range reservations {
		all = append(all, hold{r.Transaction, r.Memo})
	}
	return all, err
}

func (k *ledgerKeeper) outcomes(ids []uuid.UUID) (map[uuid.UUID]participant.State, error) {
	states := make(map[uuid.UUID]participant.State)
	for _, id := range ids {
		state, err := k.ledger.Branch(k.coordinator, id)
		if err != nil {
			return nil, err
		}
		states[id] = state
	}
	return states, nil
}

func (k *ledgerKeeper) balances() (map[string]int64, error) {
	accounts, err := k.ledger.Accounts()
	all := make(map[string]int64)
	for name, a := range accounts {
		all[name] = a.Balance
	}
	return all, err
}

// keepers are the keepers of services(), in their order.
type keepers []keeper

func (all keepers) close() error {
	var err error
	for _, k := range all {
		err = errors.Join(err, k.close())
	}
	return err
}
