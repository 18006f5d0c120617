package files

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/seed-d36415c0/dtc/participant"
	"github.com/seed-d36415c0/dtc/participant/participanttest"
)

func TestConformance(t *testing.T) {
	participanttest.Run(t, participanttest.Harness{Durable: true, Open: func(dir string) (*participanttest.Service, error) {
		if err := os.MkdirAll(filepath.Join(dir, "a directory"), 0o755); err != nil {
			return nil, err
		}
		tree, err := Open("site", dir, nil)
		if err != nil {
			return nil, err
		}
		next := 0
		return &participanttest.Service{
			Participant: tree,
			Payload: func() []byte {
				next++
				return write(fmt.Sprint(next), "new").Encode()
			},
			Refused: func() []byte { return write("a directory", "new").Encode() },
			Effects: func(b participant.Branch) (int, error) {
				p, err := Decode(b.Payload)
				if err != nil {
					return 0, err
				}
				data, err := os.ReadFile(filepath.Join(dir, p.Write[0].Path))
				switch {
				case errors.Is(err, fs.ErrNotExist), p.Write[0].Path == "a directory":
					return 0, nil
				case err != nil || string(data) != "new":
					return 0, fmt.Errorf("%q: %w", data, err)
				}
				return 1, nil
			},
			Close: tree.Close,
		}, nil
	}})
}
