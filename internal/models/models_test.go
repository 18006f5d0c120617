package models

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"testing"

	"github.com/seed-d36415c0/dtc/internal/proof"
)

// searched is what came of one model.
type searched struct {
	Model       string  `json:"model"`
	States      int     `json:"states"`
	Transitions int     `json:"transitions"`
	Mistakes    []found `json:"mistakes"`
}

// found is a mistake that was planted, and what found it.
type found struct {
	Mistake string `json:"mistake"`
	FoundBy string `json:"found by"`
	States  int    `json:"states"`
}

// TestModels searches every model in full, and once more with each of the mistakes
// that can be planted in it: as it is, nothing is wrong with it; with a mistake,
// something is.
func TestModels(t *testing.T) {
	tools := findTools(t)
	files, err := filepath.Glob("*.pml")
	if err != nil || len(files) < 2 {
		t.Fatalf("models: %v, %v", files, err)
	}
	all := make([]searched, len(files))
	t.Run("search", func(t *testing.T) {
		for i, file := range files {
			t.Run(file, func(t *testing.T) {
				t.Parallel()
				all[i] = search(t, tools, file)
			})
		}
	})
	proof.Note(t, "models", all)
}

// search runs one model, and its mistakes.
func search(t *testing.T, tools tools, file string) searched {
	planted := mistakes(t, file)
	checker := tools.build(t, file)
	s := searched{Model: file, Mistakes: make([]found, len(planted))}
	t.Run("all", func(t *testing.T) {
		t.Run("as it is", func(t *testing.T) {
			t.Parallel()
			r := checker.run(t, 0)
			if r.broken != "" || !r.complete {
				t.Errorf("%s\n%s\n%s", r.broken, r.output, checker.replay(0))
			}
			s.States, s.Transitions = r.states, r.transitions
		})
		for n, what := range planted {
			t.Run(what, func(t *testing.T) {
				t.Parallel()
				r := checker.run(t, n+1)
				if r.broken == "" {
					t.Errorf("nothing found\n%s\n%s", r.output, checker.replay(n+1))
				}
				s.Mistakes[n] = found{Mistake: what, FoundBy: r.broken, States: r.states}
			})
		}
	})
	return s
}

// plantedMistake is how a model names a mistake, its number and what it is.
var plantedMistake = regexp.MustCompile(`(?m)^#define (\w+) +\(MISTAKE == (\d+)\) +/\* (.+) \*/$`)

// mistakes lists what can be planted in a model: number one comes first.
func mistakes(t *testing.T, file string) (list []string) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range plantedMistake.FindAllStringSubmatch(string(text), -1) {
		list = append(list, m[3])
		if slices.Contains(list[:len(list)-1], m[3]) {
			t.Errorf("%s: %s is described like another one", file, m[1])
		}
		if m[2] != strconv.Itoa(len(list)) {
			t.Errorf("%s: %s has number %s and is number %d", file, m[1], m[2], len(list))
		}
		if used := regexp.MustCompile(`\b`+m[1]+`\b`).FindAllString(string(text), -1); len(used) < 2 {
			t.Errorf("%s: %s is planted nowhere", file, m[1])
		}
	}
	if n := len(regexp.MustCompile(`MISTAKE ==`).FindAllString(string(text), -1)); n != len(list) || n == 0 {
		t.Errorf("%s: %d mistakes, and %d of them described", file, n, len(list))
	}
	return list
}
