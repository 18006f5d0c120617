package main

import (
	"bufio"
	"fmt"
	"maps"
	"os"
	"path"
	"slices"
	"strings"
)

// coverage reads a profile made with -coverpkg, in which a block occurs once for
// each test binary, and returns the share of each package.
func coverage(profile string) (string, error) {
	f, err := os.Open(profile)
	if err != nil {
		return "", err
	}
	defer f.Close()
	blocks := make(map[string]int) // statements
	reached := make(map[string]bool)
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		var block string
		var statements, times int
		if _, err := fmt.Sscanf(lines.Text(), "%s %d %d", &block, &statements, &times); err != nil {
			continue // the mode
		}
		blocks[block] = statements
		reached[block] = reached[block] || times > 0
	}
	if err := lines.Err(); err != nil {
		return "", err
	}
	total, covered := make(map[string]int), make(map[string]int)
	for block, n := range blocks {
		file, _, _ := strings.Cut(block, ":")
		pkg := path.Dir(file)
		total[pkg] += n
		if reached[block] {
			covered[pkg] += n
		}
	}
	var b strings.Builder
	b.WriteString("| package | statements | covered |\n| --- | --- | --- |\n")
	for _, pkg := range slices.Sorted(maps.Keys(total)) {
		if strings.Contains(pkg, "/internal/") || strings.HasSuffix(pkg, "/demo") {
			continue
		}
		name := strings.TrimPrefix(strings.TrimPrefix(pkg, module), "/")
		if name == "" {
			name = "dtc"
		}
		fmt.Fprintf(&b, "| %s | %d | %.1f %% |\n", name, total[pkg], 100*float64(covered[pkg])/float64(total[pkg]))
	}
	return b.String(), nil
}

const module = "github.com/seed-d36415c0/dtc"
