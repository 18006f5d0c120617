package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/google/uuid"
)

// site says where the services of a data directory keep their accounts, and who
// coordinates them. What belongs together is in one directory: an order that was
// tried against a database is not looked for in a file.
type site struct {
	// Coordinator is the coordinator's name. Databases may serve more than one
	// data directory, so that it is a name of the directory's own where there are
	// any.
	Coordinator string `json:"coordinator"`
	Inventory   place  `json:"inventory"`
	Payment     place  `json:"payment"`
	Shipping    place  `json:"shipping"`

	options options
}

// place is where a service keeps its accounts.
type place string

const (
	inFile     place = "a file"
	inPostgres place = "PostgreSQL"
	inMySQL    place = "MySQL or MariaDB"
	overHTTP   place = "a file behind HTTP" // a service of its own
)

// siteFile is there where not everything is in files.
const siteFile = "site.json"

// siteError says that a data directory's services are elsewhere.
type siteError struct{ has, asked site }

func (e *siteError) Error() string {
	return fmt.Sprintf("in the data directory, %s; asked for was: %s", e.has, e.asked)
}

func (s site) String() string {
	return fmt.Sprintf("inventory is kept in %s, payment in %s, shipping in %s", s.Inventory, s.Payment, s.Shipping)
}

// openSite reads what the directory's site is, or settles it.
func openSite(dir string, o options) (site, error) {
	asked := siteOf(o)
	has, err := readSite(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return asked, asked.settle(dir)
	case err != nil:
		return site{}, err
	}
	asked.Coordinator = has.Coordinator
	has.options = o
	if has != asked {
		return site{}, &siteError{has, asked}
	}
	return has, nil
}

func siteOf(o options) site {
	s := site{Coordinator: "demo", Inventory: inFile, Payment: inFile, Shipping: inFile, options: o}
	if o.postgres != "" {
		s.Inventory = inPostgres
	}
	if o.mysql != "" {
		s.Payment = inMySQL
	}
	if o.inDatabases() {
		s.Shipping = overHTTP
		s.Coordinator = "demo-" + uuid.NewString()
	}
	return s
}

// readSite reads the site of a directory that has one.
func readSite(dir string) (site, error) {
	data, err := os.ReadFile(filepath.Join(dir, siteFile))
	if errors.Is(err, fs.ErrNotExist) {
		if _, err := os.Stat(filepath.Join(dir, "orders.jsonl")); err == nil {
			return siteOf(options{}), nil
		}
		return site{}, fs.ErrNotExist
	}
	if err != nil {
		return site{}, err
	}
	var s site
	if err := json.Unmarshal(data, &s); err != nil {
		return site{}, fmt.Errorf("%s: %w", siteFile, err)
	}
	return s, nil
}

// settle writes the site down, before anything is done there.
func (s site) settle(dir string) error {
	if !s.options.inDatabases() {
		return nil
	}
	data, err := json.Marshal(s)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, siteFile), append(data, '\n'), 0o600)
}

// open opens a service for work.
func (s site) open(dir string, service service) (keeper, error) {
	switch service.place(s) {
	case inPostgres:
		return openPostgres(service.name, s)
	case inMySQL:
		return openMySQL(service.name, s)
	case overHTTP:
		return openHTTP(dir, service.name, s.Coordinator)
	}
	return openLedger(dir, service.name, s.Coordinator)
}

// openForAudit opens what a service keeps, but not the way to it.
func (s site) openForAudit(dir string, service service) (keeper, error) {
	if service.place(s) == overHTTP {
		return openLedger(dir, service.name, s.Coordinator)
	}
	return s.open(dir, service)
}
