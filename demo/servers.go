package main

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/seed-d36415c0/dtc/internal/servers"
)

// databases are the private servers of a run, by what they are.
type databases struct {
	postgres, mariadb *servers.Server
	kills             int
}

// databaseName is the database that orders are kept in.
const databaseName = "demo"

// startDatabases starts private servers and has the services keep their accounts
// there.
func startDatabases(o *options) (*databases, error) {
	d := &databases{}
	if err := d.start(o); err != nil {
		return nil, errors.Join(err, d.close())
	}
	o.postgres, o.mysql = d.postgres.DSN(databaseName), d.mariadb.DSN(databaseName)
	return d, nil
}

func (d *databases) start(o *options) error {
	var err error
	// As many orders may be prepared at a time, and have failed to hear of their end
	// when a database was killed.
	prepared := fmt.Sprintf("max_prepared_transactions=%d", 2*o.workers+10)
	d.postgres, err = servers.Start(servers.Postgres, &servers.Options{Durable: true, Settings: []string{prepared}})
	if err != nil {
		return err
	}
	if d.mariadb, err = servers.Start(servers.MariaDB, &servers.Options{Durable: true}); err != nil {
		return err
	}
	return errors.Join(d.postgres.CreateDatabase(databaseName), d.mariadb.CreateDatabase(databaseName))
}

func (d *databases) close() error {
	var err error
	for _, s := range []*servers.Server{d.postgres, d.mariadb} {
		if s != nil {
			err = errors.Join(err, s.Close())
		}
	}
	return errors.Join(err, servers.RemoveTemplates())
}

// torment kills one of the servers now and then, and starts it again, until stop
// is closed.
func (d *databases) torment(stop <-chan struct{}) error {
	for {
		if !waited(stop, time.Second+time.Duration(rand.IntN(2000))*time.Millisecond) {
			return nil
		}
		s := d.postgres
		if rand.IntN(2) == 0 {
			s = d.mariadb
		}
		if err := s.Kill(); err != nil {
			return err
		}
		waited(stop, time.Duration(rand.IntN(300))*time.Millisecond)
		if err := s.Start(); err != nil {
			return err
		}
		d.kills++
	}
}

// waited waits so long; false if stop was closed first.
func waited(stop <-chan struct{}, d time.Duration) bool {
	select {
	case <-time.After(d):
		return true
	case <-stop:
		return false
	}
}
