// Package proof gathers what the tests counted, for docs/proof.md.
//
// A test that proves something calls Note with its figures. They go nowhere but
// to the test's log, unless the environment names a directory: `make proof` does,
// runs the tests, and makes the page of what it finds there.
package proof

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
)

// DirVariable names the environment variable with the directory for figures.
const DirVariable = "DTC_PROOF_DIR"

// Wanted tells whether figures are gathered: a test may then do more, and take
// longer.
func Wanted() bool { return os.Getenv(DirVariable) != "" }

// Note keeps the figures of one kind of proof, to be marshaled as JSON. The name
// is that of the file without its ending, so it is one word; what was noted under
// it before is replaced. A test that has failed notes nothing.
func Note(tb testing.TB, name string, figures any) {
	tb.Helper()
	if tb.Failed() {
		return
	}
	var text bytes.Buffer
	e := json.NewEncoder(&text)
	e.SetEscapeHTML(false)
	e.SetIndent("", "\t")
	if err := e.Encode(figures); err != nil {
		tb.Fatal(err)
	}
	tb.Logf("%s: %s", name, &text)
	dir := os.Getenv(DirVariable)
	if dir == "" {
		return
	}
	if err := os.WriteFile(filepath.Join(dir, name+".json"), text.Bytes(), 0o644); err != nil {
		tb.Fatal(err)
	}
}
