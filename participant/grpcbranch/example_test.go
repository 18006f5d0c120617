package grpcbranch_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"os"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"

	"github.com/seed-d36415c0/dtc"
	"github.com/seed-d36415c0/dtc/participant"
	"github.com/seed-d36415c0/dtc/participant/grpcbranch"
)

// A stock in a process of its own takes part in a transaction. Both sides show a
// certificate, and take only those of their own authority.
func Example() {
	if err := example(); err != nil {
		fmt.Println(err)
	}
	// Output:
	// ordered: true
	// ordered too much: participant: branch was rolled back; ledger: account "0" has 9 to take, not 11
}

func example() error {
	authority, err := newAuthority() // in life, certificates come from files
	if err != nil {
		return err
	}
	stop, addr, err := stockProcess(authority)
	if err != nil {
		return err
	}
	defer stop()

	// In the coordinator's program:
	certificate, err := authority.issue("shop")
	if err != nil {
		return err
	}
	secure := grpc.WithTransportCredentials(credentials.NewTLS(&tls.Config{
		Certificates: []tls.Certificate{certificate},
		RootCAs:      authority.pool(),
	}))
	conn, err := grpc.NewClient(addr, append(grpcbranch.DialOptions(), secure)...)
	if err != nil {
		return err
	}
	defer conn.Close()
	stock, err := grpcbranch.New("stock", conn, &grpcbranch.Options{Kind: grpcbranch.OnePhaseCommitter, Recoverer: true})
	if err != nil {
		return err
	}
	system := quietSystem()
	defer system.Shutdown()
	coordinator, err := dtc.Open(system, dtc.Config{Name: "shop", Participants: []participant.Participant{stock}, Logger: quietLog})
	if err != nil {
		return err
	}
	defer coordinator.Close()
	order := func(payload []byte) error {
		return coordinator.Run(context.Background(), nil, func(tx *dtc.Tx) error {
			return tx.Enlist(context.Background(), stock, payload)
		})
	}
	fmt.Println("ordered:", order(take(0)) == nil)
	var refused *grpcbranch.RefusedError
	if err := order(tooMuch()); errors.As(err, &refused) {
		fmt.Println("ordered too much:", refused.Reason)
	}
	return nil
}

// stockProcess is the service's program.
func stockProcess(authority *authority) (stop func(), addr string, err error) {
	certificate, err := authority.issue("stock")
	if err != nil {
		return nil, "", err
	}
	secure := grpc.Creds(credentials.NewTLS(&tls.Config{
		Certificates: []tls.Certificate{certificate},
		ClientCAs:    authority.pool(),
		ClientAuth:   tls.RequireAndVerifyClientCert,
	}))
	server := grpc.NewServer(append(grpcbranch.ServerOptions(), secure)...)

	dir, err := os.MkdirTemp("", "stock")
	if err != nil {
		return nil, "", err
	}
	stock, err := openLedger(dir, "stock", 1) // any participant
	if err != nil {
		return nil, "", err
	}
	if err := grpcbranch.Register(server, nil, stock); err != nil {
		return nil, "", err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, "", err
	}
	done := serveOn(server, listener)
	stop = func() {
		server.GracefulStop()
		if err := errors.Join(<-done, stock.Close(), os.RemoveAll(dir)); err != nil {
			fmt.Println(err)
		}
	}
	return stop, listener.Addr().String(), nil
}
