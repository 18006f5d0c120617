package mysql_test

import (
	"flag"
	"io"
	"log"
	"testing"

	driver "github.com/go-sql-driver/mysql"

	"github.com/seed-d36415c0/dtc/internal/serverstest"
)

func TestMain(m *testing.M) {
	// That connections break is what is tested; the driver need not tell.
	_ = driver.SetLogger(log.New(io.Discard, "", 0))
	// They wait more than they work.
	if err := flag.Set("test.parallel", "16"); err != nil {
		panic(err)
	}
	serverstest.Main(m)
}
