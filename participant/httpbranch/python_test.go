package httpbranch_test

import (
	"bufio"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	_ "modernc.org/sqlite" // to look into the service's database

	"github.com/seed-d36415c0/dtc"
	"github.com/seed-d36415c0/dtc/participant"
	"github.com/seed-d36415c0/dtc/participant/httpbranch"
	"github.com/seed-d36415c0/dtc/participant/participanttest"
)

// shelf is the service of testdata/service.py in a process of its own.
type shelf struct {
	participant.Participant
	process *exec.Cmd
	db      *sql.DB
}

const shelfStock = 1000

func openShelf(python, dir string) (*shelf, error) {
	file := filepath.Join(dir, "shelf.db")
	s := &shelf{process: exec.Command(python, "-IS", filepath.Join("testdata", "service.py"), file, "0")}
	out, err := s.process.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := s.process.Start(); err != nil {
		return nil, err
	}
	port, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		return nil, errors.Join(err, s.process.Wait())
	}
	if s.db, err = sql.Open("sqlite", file); err != nil {
		return nil, err
	}
	s.Participant, err = httpbranch.New("shelf", "http://127.0.0.1:"+strings.TrimSpace(port), &httpbranch.Options{Recoverer: true})
	return s, err
}

// close ends the service with kill -9.
func (s *shelf) close() error {
	err := errors.Join(s.Participant.(io.Closer).Close(), s.db.Close(), s.process.Process.Kill())
	_ = s.process.Wait() // it was killed
	return err
}

// effects counts a branch's effect, and the shelf with it.
func (s *shelf) effects(b participant.Branch) (n int, err error) {
	var left, taken int
	err = s.db.QueryRow(`SELECT (SELECT widgets FROM stock), (SELECT coalesce(sum(widgets), 0) FROM branch),
		(SELECT count(*) FROM branch WHERE id = ? AND state = 'committed')`, b.Transaction.String()).Scan(&left, &taken, &n)
	if err == nil && left+taken != shelfStock {
		err = fmt.Errorf("%d are left and %d taken, of %d", left, taken, shelfStock)
	}
	return n, err
}

// TestPython: a service in another language, written after the package comment.
func TestPython(t *testing.T) {
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("python3 is not installed")
	}
	t.Parallel()
	path, err := exec.Command(python, "-c", "import sys; print(sys.executable)").Output()
	must(t, err)
	python = strings.TrimSpace(string(path)) // not what chooses between several, each time
	t.Run("conformance", func(t *testing.T) {
		participanttest.Run(t, participanttest.Harness{Durable: true, Open: func(dir string) (*participanttest.Service, error) {
			s, err := openShelf(python, dir)
			if err != nil {
				return nil, err
			}
			return &participanttest.Service{
				Participant: s.Participant,
				Payload:     func() []byte { return wanted(1) },
				Refused:     func() []byte { return wanted(shelfStock + 1) },
				Effects:     s.effects,
				Close:       s.close,
			}, nil
		}})
	})
	t.Run("transaction", func(t *testing.T) {
		s, err := openShelf(python, t.TempDir())
		must(t, err)
		defer s.close()
		stock := openStock(t, 10)
		c := coordinate(t, dtc.Config{})
		for take, want := range map[int64]bool{1: true, 11: false} {
			err := c.Execute(background, nil,
				dtc.Enlistment{Participant: s.Participant, Payload: wanted(5)},
				dtc.Enlistment{Participant: stock, Payload: widgets(take)})
			if (err == nil) != want {
				t.Errorf("taking %d: %v", take, err)
			}
		}
		var left int
		must(t, s.db.QueryRow("SELECT widgets FROM stock").Scan(&left))
		if left != shelfStock-5 {
			t.Errorf("%d are left", left)
		}
	})
}

func wanted(n int) []byte {
	data, err := json.Marshal(map[string]int{"widgets": n})
	if err != nil {
		panic(err)
	}
	return data
}
