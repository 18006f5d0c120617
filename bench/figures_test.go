package bench

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/seed-d36415c0/dtc"
)

var figures = flag.String("figures", "", "write the figures, as Markdown, to this file")

// TestFigures measures everything and writes README.md's table. It asserts
// nothing.
func TestFigures(t *testing.T) {
	if *figures == "" {
		t.Skip("-figures names no file")
	}
	var page strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&page, format+"\n", args...) }
	line("%s, %d cores (%s/%s), %s, %s:", processor(), runtime.GOMAXPROCS(0), runtime.GOOS, runtime.GOARCH,
		runtime.Version(), time.Now().Format(time.DateOnly))
	line("")
	line("| | of the floor | worst to best of %d | floor/s | tx/s | p50 | p99 | allocations | bytes |", quickCalls.rounds)
	line("|---|---|---|---|---|---|---|---|---|")
	row := func(name string, c comparison) {
		line("| %s | **%.2f** | %.2f to %.2f | %.0f | %.0f | %v | %v | %.0f | %.0f |", name, c.ratio(),
			c.ratios[0], c.ratios[len(c.ratios)-1], c.floor.perSecond, c.ours.perSecond,
			c.ours.p50.Round(time.Microsecond), c.ours.p99.Round(time.Microsecond), c.ours.allocs, c.ours.bytes)
	}
	row("memory, `Run`", inMemory(t, (*work).run))
	row("memory, `Execute`", inMemory(t, (*work).execute))
	found, slower := onDisk(t, 0), onDisk(t, addedLatency)
	row("disk as found, `Execute`", found.comparison)
	row("disk and 2 ms, `Execute`", slower.comparison)
	line("")
	line("* On disk, %.2f records were forced for each transaction; one sync took %.0f of them, and with 2 ms added %.0f.",
		found.forced, found.batch, slower.batch)
	line("* The floor's sync took %v on average; with 2 ms added %v and that.", found.floorSync.Round(time.Microsecond),
		slower.floorSync.Round(time.Microsecond))
	line("* A live, idle transaction with three branches takes %d bytes.", liveTransaction(t))
	line("* A journal with %d finished and %d unfinished transactions opened in %v.", finishedAtOpen, unfinishedAtOpen,
		reopened(t).Round(time.Millisecond))
	line("%s", theMillion(t))
	line("")
	resources(t, line)
	if err := os.WriteFile(*figures, []byte(page.String()), 0o644); err != nil {
		t.Fatal(err)
	}
}

// resources writes the table of what takes part over a connection.
func resources(t *testing.T, line func(format string, args ...any)) {
	line("| callers | | of the floor | worst to best of %d | floor/s | tx/s | p50 | p99 | CPU | the floor's |", slowCalls(1).rounds)
	line("|---|---|---|---|---|---|---|---|---|---|")
	row := func(callers int, name string, c comparison) {
		line("| %d | %s | **%.2f** | %.2f to %.2f | %.0f | %.0f | %v | %v | %v | %v |", callers, name, c.ratio(),
			c.ratios[0], c.ratios[len(c.ratios)-1], c.floor.perSecond, c.ours.perSecond,
			c.ours.p50.Round(time.Microsecond), c.ours.p99.Round(time.Microsecond),
			c.ours.cpu.Round(time.Microsecond), c.floor.cpu.Round(time.Microsecond))
	}
	var unsafe []string
	for _, callers := range callerCounts {
		c := onPostgres(t, slowCalls(callers))
		row(callers, "two PostgreSQL databases", c.comparison)
		unsafe = append(unsafe, fmt.Sprintf("%.2f", c.ours.perSecond/c.unsafe.perSecond))
	}
	for _, kind := range httpKinds {
		for _, callers := range callerCounts {
			row(callers, "three HTTP services, "+kind.name, onHTTP(t, slowCalls(callers), &kind.options, kind.calls))
		}
	}
	line("")
	line("* Two plain commits that nothing holds together are faster: ours over PostgreSQL comes to %s of them.", strings.Join(unsafe, ", "))
}

func reopened(tb testing.TB) time.Duration {
	dir := filepath.Join(tb.TempDir(), "journal")
	fill(tb, dir)
	return openFilled(tb, dir)
}

func theMillion(tb testing.TB) string {
	dir := filepath.Join(tb.TempDir(), "journal")
	j := openJournal(tb, dir, vfs.Default)
	c := steady(tb, 200_000, 1_000_000, dtc.Config{Journal: j}, dir, three(newRecoverable))
	return fmt.Sprintf("* After 200,000 transactions, and after a million: heap %.1f MiB and %.1f, goroutines %d and %d; "+
		"the journal took %.0f MiB at most.", mebibytes(c.first.heap), mebibytes(c.last.heap),
		c.first.goroutines, c.last.goroutines, mebibytes(c.directory))
}

func mebibytes(bytes int64) float64 { return float64(bytes) / (1 << 20) }

// processor names the machine's processor, where the system tells.
func processor() string {
	text, _ := os.ReadFile("/proc/cpuinfo")
	for l := range strings.Lines(string(text)) {
		if name, value, ok := strings.Cut(l, ":"); ok && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return "unknown processor"
}
