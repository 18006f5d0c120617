package house_test

import (
	"go/ast"
	"slices"
	"strconv"
	"strings"
)

// Import paths of the picture. A path that ends in /... stands for the package
// and all below it.
const (
	dtc         = "github.com/seed-d36415c0/dtc"
	protocol    = dtc + "/protocol"
	messages    = dtc + "/messages"
	journal     = dtc + "/journal"
	participant = dtc + "/participant"
	actors      = dtc + "/actors"
	supervisor  = dtc + "/supervisor"
	console     = dtc + "/console"
	cluster     = dtc + "/cluster"

	protoactor = "github.com/asynkron/protoactor-go"
	actor      = protoactor + "/actor"
	protobuf   = "google.golang.org/protobuf"
	slog       = "golang.org/x/exp/slog"
	uuid       = "github.com/google/uuid"

	below = "/..."
	// libraries stands for what is neither of this module nor of protoactor.
	libraries = "any library but protoactor"
)

// layer says what the packages of a folder may import, beside the standard
// library and, below a folder with /..., each other.
type layer struct {
	folder string
	may    []string
	// std limits the standard library; nil does not.
	std []string
	// pidOnly limits protoactor's actor package to the type PID.
	pidOnly bool
	why     string
}

// layers is the picture of the layout: arrows point one way. A package is of the
// first layer that fits.
var layers = []layer{
	{folder: "protocol",
		std: []string{"errors", "fmt", "slices", "cmp", "strings", "strconv", "maps", "math/bits"},
		why: "the protocol is pure: no goroutine, clock, journal, actor or network"},
	{folder: "messages", may: []string{protocol, journal, participant, uuid, protobuf + below, actor}, pidOnly: true,
		why: "messages are what is said: they carry protocol, journal and participant values, and know an actor by its PID alone"},
	{folder: "messages/internal/generate", may: []string{protobuf + below, "github.com/bufbuild/protocompile" + below},
		why: "the generator knows protobuf alone"},
	{folder: "journal", may: []string{uuid},
		why: "a journal knows no actor and nothing else of the module"},
	{folder: "journal/pebble", may: []string{journal, uuid, "github.com/cockroachdb/pebble/v2" + below},
		why: "a journal knows no actor and nothing else of the module"},
	{folder: "journal/...", may: []string{journal, libraries},
		why: "a journal knows no actor and nothing else of the module"},
	{folder: "participant", may: []string{participant + "/internal/turns", uuid, actor}, pidOnly: true,
		why: "participants know no coordinator, and an actor by its PID alone"},
	{folder: "participant/remote", may: []string{participant, messages, actor, protoactor + "/remote", libraries},
		why: "participants know no coordinator, also where they are in other processes"},
	{folder: "participant/...", may: []string{participant, messages, libraries},
		why: "participants know no coordinator"},
	{folder: "actors", may: []string{protocol, messages, journal, participant, actor, uuid, slog},
		why: "the actors drive the protocol, and are below the supervisor"},
	{folder: "supervisor", may: []string{protocol, messages, journal, participant, actors, actor, uuid, slog},
		why: "the supervisor is below the façade"},
	{folder: ".", may: []string{protocol, messages, journal, participant, actors, supervisor, actor, uuid, slog},
		why: "the façade is below the commands, and brings in no journal but the one in memory"},
	{folder: "internal/house", why: "there is nothing in it to import"},
	{folder: "internal/crashtest", why: "it kills any process"},
	{folder: "internal/proof", why: "any test may note its figures"},
	{folder: "internal/...", may: []string{dtc + below, libraries, protoactor + below},
		why: "what proves the module looks at everything"},
	{folder: "console/...", may: []string{dtc, journal + below, participant + below, libraries, protoactor + below},
		why: "the console reaches the core through the façade"},
	{folder: "cluster/...", may: []string{dtc, journal + below, participant + below, libraries, protoactor + below},
		why: "the cluster reaches the core through the façade"},
	{folder: "cmd/...", may: []string{dtc, journal + below, participant + below, console, cluster, libraries, protoactor + below},
		why: "commands reach the core through the façade"},
	{folder: "demo/...", may: []string{dtc, journal + below, participant + below, console, cluster, dtc + "/internal/servers", libraries, protoactor + below},
		why: "the demo does what any user can do"},
	{folder: "bench/...", may: []string{dtc, protocol, messages, actors, supervisor, journal + below, participant + below, libraries, protoactor + below},
		why: "the benchmarks measure the core, and nothing that stands on it"},
}

// arrows: direct imports follow the picture. Tests may import what they like.
func arrows(s *source, report reporter) {
	if s.test() {
		return
	}
	i := slices.IndexFunc(layers, func(l layer) bool { return within(l.folder, s.dir()) })
	if i < 0 {
		report(s.syntax, "package %s has no place in the layout: give it one in imports_test.go", s.dir())
		return
	}
	l := layers[i]
	for _, spec := range s.syntax.Imports {
		importPath, _ := strconv.Unquote(spec.Path.Value)
		if !l.allows(importPath) {
			report(spec, "imports %s, but %s (allowed: %s)", importPath, l.why, l.allowed())
		}
	}
	if l.pidOnly {
		pidOnly(s, l, report)
	}
}

func (l layer) allows(importPath string) bool {
	first, _, _ := strings.Cut(importPath, "/")
	if !strings.Contains(first, ".") {
		return l.std == nil || slices.Contains(l.std, importPath)
	}
	if strings.HasSuffix(l.folder, below) && within(dtc+"/"+l.folder, importPath) {
		return true
	}
	return slices.ContainsFunc(l.may, func(pattern string) bool {
		if pattern == libraries {
			return !within(dtc+below, importPath) && !within(protoactor+below, importPath)
		}
		return within(pattern, importPath)
	})
}

func (l layer) allowed() string {
	std := "the standard library"
	if l.std != nil {
		std = strings.Join(l.std, ", ")
	}
	return strings.Join(append([]string{std}, l.may...), ", ")
}

// within tells whether the path is the pattern, or below it where the pattern
// ends in /... .
func within(pattern, p string) bool {
	folder, ok := strings.CutSuffix(pattern, below)
	return p == folder || ok && strings.HasPrefix(p, folder+"/")
}

// pidOnly reports every use of the actor package beside its PID.
func pidOnly(s *source, l layer, report reporter) {
	local := s.local(actor)
	if local == "." || local == "_" {
		report(s.syntax, "imports %s as %q, but %s", actor, local, l.why)
	}
	ast.Inspect(s.syntax, func(node ast.Node) bool {
		if name := selected(node, local); name != "" && name != "PID" {
			report(node, "uses actor.%s, but %s", name, l.why)
		}
		return true
	})
}
