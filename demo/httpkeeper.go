package main

import (
	"errors"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/seed-d36415c0/dtc/participant"
	"github.com/seed-d36415c0/dtc/participant/httpbranch"
)

// httpKeeper keeps the accounts in a file behind an HTTP service: every call of
// the coordinator's goes over a connection.
type httpKeeper struct {
	*ledgerKeeper
	server *http.Server
	served chan error
	reach  participant.Preparer
}

func openHTTP(dir, service, coordinator string) (*httpKeeper, error) {
	file, err := openLedger(dir, service, coordinator)
	if err != nil {
		return nil, err
	}
	k := &httpKeeper{ledgerKeeper: file, served: make(chan error, 1)}
	if err := k.serve(); err != nil {
		return nil, errors.Join(err, k.close())
	}
	return k, nil
}

func (k *httpKeeper) serve() error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	k.server = &http.Server{Handler: httpbranch.Handler(k.ledger, nil), ReadHeaderTimeout: 10 * time.Second}
	go func() { k.served <- k.server.Serve(l) }()
	p, err := httpbranch.New(k.ledger.Name(), "http://"+l.Addr().String(), &httpbranch.Options{Recoverer: true})
	if err != nil {
		return err
	}
	two, ok := p.(participant.Preparer)
	if !ok {
		return errors.New("the HTTP service is not two-phase")
	}
	k.reach = two
	return nil
}

func (k *httpKeeper) participant() participant.Preparer { return k.reach }

// close closes the way first: nobody is answered by a file that is closed.
func (k *httpKeeper) close() error {
	var err error
	if c, ok := k.reach.(io.Closer); ok {
		err = c.Close()
	}
	if k.server != nil {
		err = errors.Join(err, k.server.Close())
		<-k.served // http.ErrServerClosed
	}
	return errors.Join(err, k.ledgerKeeper.close())
}
