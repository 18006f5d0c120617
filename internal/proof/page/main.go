// Command page makes docs/proof.md of what the tests counted. It is run by
// `make proof`.
//
//	go run ./internal/proof/page -figures DIR [-coverage FILE] > docs/proof.md
//
// DIR holds what package proof's Note has written there; a proof whose figures
// are missing fails the page, so that none is left out unseen. FILE is a coverage
// profile of all packages.
package main

import (
	"bufio"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

func main() {
	figures := flag.String("figures", "", "the directory with the figures")
	profile := flag.String("coverage", "", "a coverage profile of all packages; none for no such table")
	flag.Parse()
	out := bufio.NewWriter(os.Stdout)
	err := page(out, *figures, *profile)
	if err == nil {
		err = out.Flush()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "page:", err)
		os.Exit(1)
	}
}

// page writes the page.
func page(w io.Writer, figures, profile string) error {
	fmt.Fprintf(w, "%s\nMade by `make proof` on %s with %s on %d processors (%s/%s).\n",
		preface, time.Now().UTC().Format(time.DateOnly), runtime.Version(), runtime.NumCPU(), runtime.GOOS, runtime.GOARCH)
	for _, s := range sections {
		fmt.Fprintf(w, "\n## %s\n\n%s\n", s.title, s.text)
		for _, name := range s.figures {
			text, err := os.ReadFile(filepath.Join(figures, name+".json"))
			if errors.Is(err, fs.ErrNotExist) && s.without != "" {
				fmt.Fprintf(w, "\n%s\n", s.without)
				continue
			}
			if err != nil {
				return err
			}
			v, err := parse(text)
			if err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
			fmt.Fprintf(w, "\n%s", render(v))
		}
	}
	if profile != "" {
		table, err := coverage(profile)
		if err != nil {
			return err
		}
		fmt.Fprintf(w, "\n## Coverage\n\nShare of the statements that any test reaches.\n\n%s", table)
	}
	bugs, err := found()
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "\n## What was found\n\n%s\n\n%s", foundText, bugs)
	fmt.Fprintf(w, "\n## What is not covered\n\n%s", strings.TrimLeft(uncovered, "\n"))
	return nil
}
