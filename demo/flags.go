package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
)

// Limits of the flags.
const (
	maxWorkers = 10_000
	// usualOrders and usualWorkers are those where nothing is said: fewer with
	// databases, which hold the rows of an order from the first call to the last.
	usualOrders     = 20_000
	databaseOrders  = 2_000
	usualWorkers    = 256
	databaseWorkers = 32
	maxCredit       = 1_000_000_000_000
)

// Exit codes.
const (
	exitOK     = 0
	exitAudit  = 1
	exitUsage  = 2
	exitFailed = 3
	// exitAtOnce is what shells give a program that an interrupt has ended.
	exitAtOnce = 130
)

// options are what the command line says.
type options struct {
	orders  string
	stock   string
	credit  int64
	number  int
	seed    uint64
	workers int
	chaos   bool
	crash   bool
	dir     string
	level   slog.Level

	postgres string // DSN; empty: inventory is in a file
	mysql    string // DSN; empty: payment is in a file
	servers  bool   // start private ones
}

// inDatabases tells whether any service keeps its accounts in a database.
func (o options) inDatabases() bool { return o.postgres != "" || o.mysql != "" }

const usage = `Takes orders through three services - inventory, payment and shipping - each of
which keeps its own file, or database. Every order is one distributed
transaction: it happens in all three or in none. At the end all three are audited.

Usage:

  go run ./demo [flags]

Examples:

  go run ./demo                         20,000 generated orders
  go run ./demo -chaos                  … while services refuse, hang, panic, lose answers
  go run ./demo -crash -chaos           … and the process is killed in mid-flight, 5 times
  go run ./demo -servers                inventory in PostgreSQL, payment in MariaDB, shipping over HTTP
  go run ./demo -servers -crash         … and process and databases are killed in mid-flight
  go run ./demo -orders my.jsonl -stock my.csv
  go run ./demo -dir shop               keep the data; the same again goes on where it stopped

Flags:

`

const formats = `
Orders (-orders FILE) are JSON Lines: one order on each line, prices in whole
cents. Order, customer and item are 1 to 64 bytes; an order has 1 to 100 lines.
The fields are written as here, each once; further ones are ignored.

  {"order":"A-1","customer":"alice","lines":[{"item":"apple","quantity":2,"price":150}]}

Stock (-stock FILE) is CSV: an item and its quantity on each line, and nothing
else. Semicolons or tabs may take the place of the commas.

  apple,100

The first line may name the columns: item and quantity, in either order, among
others, which are ignored.

  quantity;colour;item
  100;red;apple

In both, blank lines and lines that begin with # are skipped. A line that cannot
be used, or that repeats an order or an item, is reported with file, line and
reason on standard error, and the others go on. An item that is not in stock, or
not enough of it, is no bad line: its order is rolled back by inventory. Without
-stock, there are %d of each item.

Orders run concurrently, -workers at a time: which of those that want the last
pieces gets them is open. With -workers 1 it is the first in the file.

Customers have -credit cents to spend, each. Opening balances and orders are
kept in the data directory, and hold for all later runs on it: an order is done
once, however often it is in a file. What became of each is in answers.jsonl there.

Databases: -servers needs the programs of PostgreSQL and MariaDB on this machine
(Debian: postgresql, mariadb-server). With -postgres and -mysql, which may be
given alone, three tables dtc_demo_… and those of the coordinator's participants
are made there; PostgreSQL must allow max_prepared_transactions of at least
-workers. What a data directory began with a database goes on with it.

An interrupt (or SIGTERM) finishes what is under way, and audits; a second one
exits at once. Neither harms the data.

Exit status: 0 the audit found nothing, 1 the audit found orders that do not
agree, 2 wrong usage or an input that cannot be read, 3 the run failed for
another reason, 130 a second interrupt. (go run says 1 for all but
0, and after an interrupt.)
`

// parseFlags reads the command line. What is wrong with it has been said on out.
func parseFlags(args []string, out io.Writer) (options, error) {
	var o options
	flags := flag.NewFlagSet("demo", flag.ContinueOnError)
	flags.SetOutput(out)
	flags.Usage = func() {
		fmt.Fprint(out, usage)
		flags.PrintDefaults()
		fmt.Fprintf(out, formats, defaultStock)
	}
	flags.StringVar(&o.orders, "orders", "", "take the orders from this `file` instead of generating them")
	flags.StringVar(&o.stock, "stock", "", "take the items and how many there are from this `file`")
	flags.Int64Var(&o.credit, "credit", 5_000_000, "what each customer has to spend, in `cents`")
	flags.IntVar(&o.number, "n", usualOrders, fmt.Sprintf("`number` of orders to generate; with databases %d", databaseOrders))
	flags.Uint64Var(&o.seed, "seed", 1, "`seed` of the generator: the same makes the same orders")
	flags.IntVar(&o.workers, "workers", usualWorkers, fmt.Sprintf("`number` of orders under way at a time; with databases, whose rows stay locked meanwhile, %d", databaseWorkers))
	flags.BoolVar(&o.chaos, "chaos", false, "have services refuse, lose answers, be slow, hang, panic, and fail to roll back")
	flags.BoolVar(&o.crash, "crash", false, fmt.Sprintf("kill the process (SIGKILL) in mid-flight and start it again, %d times", crashes))
	flags.StringVar(&o.dir, "dir", "", "data `directory`, kept and gone on with (default a temporary one, removed after success)")
	flags.StringVar(&o.postgres, "postgres", "", "keep inventory in the PostgreSQL database of this `DSN`, and run shipping over HTTP")
	flags.StringVar(&o.mysql, "mysql", "", "keep payment in the MySQL or MariaDB database of this `DSN`, and run shipping over HTTP")
	flags.BoolVar(&o.servers, "servers", false, "start private PostgreSQL and MariaDB servers for both; with -crash they are killed, too")
	flags.TextVar(&o.level, "v", slog.LevelError, "log from this `level` on: debug, info, warn or error")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	if o.inDatabases() || o.servers {
		said := make(map[string]bool)
		flags.Visit(func(f *flag.Flag) { said[f.Name] = true })
		if !said["workers"] {
			o.workers = databaseWorkers
		}
		if !said["n"] {
			o.number = databaseOrders
		}
	}
	err := o.check(flags.Args())
	if err != nil {
		fmt.Fprintln(out, "demo:", err)
		fmt.Fprintln(out, "Run with -h for help.")
	}
	return o, err
}

func (o options) check(rest []string) error {
	switch {
	case len(rest) > 0:
		return fmt.Errorf("unexpected argument %q", rest[0])
	case o.number < 0 || o.number > maxOrders:
		return fmt.Errorf("-n is %d, it must be 0 to %d", o.number, maxOrders)
	case o.workers < 1 || o.workers > maxWorkers:
		return fmt.Errorf("-workers is %d, it must be 1 to %d", o.workers, maxWorkers)
	case o.servers && o.inDatabases():
		return errors.New("-servers starts databases of its own: it does not go with -postgres or -mysql")
	case o.servers && o.dir != "":
		return errors.New("-servers starts databases that are gone at the end: it does not go with -dir")
	case o.credit < 0 || o.credit > maxCredit:
		return fmt.Errorf("-credit is %d, it must be 0 to %d", o.credit, int64(maxCredit))
	}
	return nil
}

// args is the command line that says the same, for the directory. The databases
// are not in it: others can read it.
func (o options) args(dir string) []string {
	return []string{
		"-orders=" + o.orders, "-stock=" + o.stock, "-dir=" + dir, "-v=" + o.level.String(),
		fmt.Sprintf("-credit=%d", o.credit), fmt.Sprintf("-n=%d", o.number), fmt.Sprintf("-seed=%d", o.seed),
		fmt.Sprintf("-workers=%d", o.workers), fmt.Sprintf("-chaos=%t", o.chaos), fmt.Sprintf("-crash=%t", o.crash),
	}
}

// Variables by which a process that supervise starts is told of the databases.
const (
	postgresVariable = "DTC_DEMO_POSTGRES"
	mysqlVariable    = "DTC_DEMO_MYSQL"
)

func (o options) environment() []string {
	return []string{postgresVariable + "=" + o.postgres, mysqlVariable + "=" + o.mysql}
}

func (o *options) fromEnvironment() {
	o.postgres, o.mysql = os.Getenv(postgresVariable), os.Getenv(mysqlVariable)
}
