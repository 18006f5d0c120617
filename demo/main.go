// Command demo takes orders through three services, each order as one
// distributed transaction: inventory takes the items from stock, payment moves
// the money, shipping schedules the parcels, or none of them does.
//
//	go run ./demo                       20,000 generated orders
//	go run ./demo -chaos -crash         … while services fail and the process is killed
//	go run ./demo -servers              inventory in PostgreSQL, payment in MariaDB, shipping behind HTTP
//	go run ./demo -orders F -stock F    orders and stock of your own
//	go run ./demo -h                    all flags, and the formats of the files
//
// Each service keeps its accounts in a file of its own (package participant/ledger),
// or in a database, and is reached through an actor of its own, the gateway that
// the coordinator gives every participant. The coordinator's journal lies beside
// the files. So does the shop's own book: the orders that were taken, under which transactions they were
// tried, and what the customers were told.
//
// # An order is done once
//
// Before an order is tried, its transaction's id is on stable storage. A process
// that was killed left some orders tried and unanswered. The next one asks the
// coordinator what became of each: if it is committed, the customer is told so; if
// it is rolled back, or not known, then it happened nowhere and never will, and
// the order is tried again under another id. Orders that were answered are left
// alone.
//
// # The audit
//
// At the end everything is closed, and what the services hold is read anew. Every
// order must have happened in all three services or in none, at most once, and as
// its customer was told, also by a process that was killed since; every balance
// must be what the orders make of it; nothing may be left reserved.
package main

import (
	"io"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	stop := make(chan struct{})
	life := thisLife()
	if life == nil {
		go untilSignal(stop)
	} else {
		// From a terminal the supervising process gets the signals too. It passes
		// them on by way of the input.
		signal.Ignore(os.Interrupt, syscall.SIGTERM)
		go untilEnd(os.Stdin, stop)
	}
	os.Exit(run(os.Args[1:], life, stop, os.Stdout, os.Stderr))
}

// untilSignal closes stop at the first signal, and exits at the second.
func untilSignal(stop chan<- struct{}) {
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	<-signals
	close(stop)
	<-signals
	os.Exit(exitAtOnce)
}

// untilEnd closes stop when something comes in, and exits when the input ends:
// then the supervising process is gone.
func untilEnd(in io.Reader, stop chan<- struct{}) {
	if n, _ := in.Read(make([]byte, 1)); n > 0 {
		close(stop)
		_, _ = io.Copy(io.Discard, in) // an error ends it too
	}
	os.Exit(exitAtOnce)
}
