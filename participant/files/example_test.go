package files_test

import (
	"errors"
	"fmt"
	"io"
	stdslog "log/slog"
	"os"
	"path/filepath"

	"github.com/asynkron/protoactor-go/actor"
	"golang.org/x/exp/slog"

	"github.com/seed-d36415c0/dtc"
	"github.com/seed-d36415c0/dtc/participant/files"
)

// quiet keeps the log out of the output.
var quiet = slog.New(slog.NewTextHandler(io.Discard, nil))

// newSystem returns an actor system that does not log.
func newSystem() *actor.ActorSystem {
	return actor.NewActorSystem(actor.WithLoggerFactory(func(*actor.ActorSystem) *stdslog.Logger {
		return stdslog.New(stdslog.DiscardHandler)
	}))
}

func Example() {
	dir, err := os.MkdirTemp("", "files")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	site, err := files.Open("site", dir, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer site.Close()
	coordinator, err := dtc.Open(newSystem(), dtc.Config{Name: "shop", Logger: quiet})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer coordinator.Close()

	publish := func(text string) error {
		return coordinator.Run(ctx, nil, func(tx *dtc.Tx) error {
			if err := tx.Enlist(ctx, site, nil); err != nil {
				return err
			}
			branch, err := site.Begin(ctx, tx.ID())
			if err != nil {
				return err
			}
			// A new directory, and a link that is switched to it in one moment.
			if err := branch.MkdirAll("releases/"+text, 0o755); err != nil {
				return err
			}
			if err := branch.WriteFile("releases/"+text+"/index.html", []byte("hello, "+text), 0o644); err != nil {
				return err
			}
			if err := branch.Symlink("releases/"+text, "current"); err != nil {
				return err
			}
			if text == "bad" {
				return errors.New("nobody wants this")
			}
			return nil
		})
	}
	for _, text := range []string{"one", "bad", "two"} {
		fmt.Println(text, publish(text) == nil)
		page, err := os.ReadFile(filepath.Join(dir, "current", "index.html"))
		fmt.Printf("%s %v\n", page, err)
	}

	// The same with a payload, which needs no branch to be begun.
	payload := files.Payload{
		Expect: []files.Expect{files.Absent("robots.txt")},
		Write:  []files.Write{{Path: "robots.txt", Data: []byte("User-agent: *")}},
	}.Encode()
	fmt.Println(coordinator.Execute(ctx, nil, dtc.Enlistment{Participant: site, Payload: payload}))
	err = coordinator.Execute(ctx, nil, dtc.Enlistment{Participant: site, Payload: payload})
	var changed *files.ChangedError
	fmt.Println(errors.As(err, &changed), changed)
	// Output:
	// one true
	// hello, one <nil>
	// bad false
	// hello, one <nil>
	// two true
	// hello, two <nil>
	// <nil>
	// true files: "robots.txt" is not as expected: want nothing, found a file
}
