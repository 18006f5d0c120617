package protocol

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"
)

// TestConversations runs the conversations in testdata, which are meant to be
// read: each is one situation, told event by event. After an intended change run
// it with -rewrite and read the difference.
func TestConversations(t *testing.T) {
	datadriven.Walk(t, "testdata", func(t *testing.T, path string) {
		c := &conversation{kinds: map[string]Branch{}}
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			c.t, c.d = t, d
			return c.run()
		})
	})
}

// conversation is one file of testdata.
type conversation struct {
	t     *testing.T
	d     *datadriven.TestData
	tx    *Transaction
	kinds map[string]Branch // the branches ever enlisted
}

// run takes a line of the conversation and returns what the transaction does.
func (c *conversation) run() string {
	switch c.d.Cmd {
	case "begin":
		limit := 10
		c.d.MaybeScanArgs(c.t, "limit", &limit)
		c.tx = New(limit, c.d.HasArg("durable"))
		return "active"
	case "enlist":
		return c.enlist()
	case "answer":
		return c.answer()
	case "recover":
		return c.recover()
	case "status":
		return c.status()
	default:
		return c.say(c.event())
	}
}

// event is what the line says has happened.
func (c *conversation) event() Event {
	record := func() Record { return parse[Record](c, c.word(0), recordNames[:]) }
	switch c.d.Cmd {
	case "commit":
		return Event{Kind: AskCommit}
	case "rollback":
		return Event{Kind: AskRollback}
	case "deadline":
		return Event{Kind: Deadline}
	case "retry":
		return Event{Kind: RetryDue, Branch: c.index(c.word(0))}
	case "wait-over":
		return Event{Kind: WaitOver}
	case "forced":
		n := c.tx.Len()
		c.d.MaybeScanArgs(c.t, "branches", &n)
		return Event{Kind: Forced, Record: record(), Branches: n}
	case "force-failed":
		return Event{Kind: ForceFailed, Record: record(), Fenced: c.d.HasArg("fenced")}
	case "settle":
		return Event{Kind: Settle, Branch: c.index(c.word(0)), Committed: c.d.HasArg("committed")}
	default:
		c.d.Fatalf(c.t, "unknown command %q", c.d.Cmd)
		return Event{}
	}
}

// enlist enlists branches by their names: enlist a b one-phase posted.
func (c *conversation) enlist() string {
	var said []string
	for _, name := range c.names() {
		c.kinds[name] = Branch{
			Name: name, TwoPhase: !c.d.HasArg("one-phase"),
			Recoverable: c.d.HasArg("recoverable"), Delegable: c.d.HasArg("delegable"),
		}
		said = append(said, c.say(Event{Kind: Enlist, Enlist: c.kinds[name], Posted: c.d.HasArg("posted")}))
	}
	return strings.Join(said, "\n")
}

// answer gives the answers of branches to their last calls, or to an earlier
// one: answer a b done, answer a failed attempt=1.
func (c *conversation) answer() string {
	names := c.names()
	r := parse[Result](c, c.word(len(names)), resultNames[:])
	var said []string
	for _, name := range names {
		i := c.index(name)
		attempt := uint32(1)
		if i >= 0 {
			_, attempt = c.tx.Op(i)
		}
		c.d.MaybeScanArgs(c.t, "attempt", &attempt)
		said = append(said, c.say(Event{Kind: Answered, Branch: i, Attempt: attempt, Result: r}))
	}
	return strings.Join(said, "\n")
}

// recover is a new life of the transaction, with what its record says:
// recover commit a b done=b.
func (c *conversation) recover() string {
	var branches []Branch
	var pending []bool
	done, number := "", uint32(0)
	c.d.MaybeScanArgs(c.t, "done", &done)
	c.d.MaybeScanArgs(c.t, "attempt", &number)
	for _, name := range c.names() {
		branches = append(branches, c.kinds[name])
		pending = append(pending, !strings.Contains(done, name))
	}
	record := NoRecord
	if w := c.word(0); len(w) > 1 {
		record = parse[Record](c, w, recordNames[:])
	}
	c.tx = Recovered(record, branches, pending, c.d.HasArg("patient"))
	if c.d.HasArg("disowned") {
		c.tx.Disown()
	}
	return fmt.Sprintf("%s, %s\n%s", c.tx.State(), c.tx.Outcome(), c.say(Event{Kind: Resume, Attempt: number}))
}

// status shows all that can be asked of the transaction.
func (c *conversation) status() string {
	t := c.tx
	s := fmt.Sprintf("%s, outcome %s, path %q, recorded %v, answered %v, left %v\n", t.State(), t.Outcome(), t.Path(),
		t.Recorded(), t.Answered(), t.Left())
	for i := range t.Len() {
		s += fmt.Sprintf("%s: %s", t.At(i).Name, t.Standing(i))
		for _, also := range []struct {
			is   bool
			what string
		}{
			{t.Waiting(i), "owes an answer"}, {t.Unfinished(i), "unfinished"}, {t.Settled(i), "settled"},
			{t.Stray(i), "stray"}, {t.Pending(i), "enlistment pending"},
		} {
			if also.is {
				s += ", " + also.what
			}
		}
		s += "\n"
	}
	return s
}

// say tells the transaction an event and returns what it does.
func (c *conversation) say(e Event) string {
	before := c.tx.State()
	var lines []string
	for _, a := range c.tx.Step(e) {
		line := a.String()
		switch a.Kind {
		case Answer, Decide:
			line += ": " + c.tx.Outcome().String()
		case Force:
			line += ":" + c.unfinished()
		}
		lines = append(lines, line)
	}
	if after := c.tx.State(); after != before {
		lines = append(lines, fmt.Sprintf("(%s -> %s)", before, after))
	}
	if len(lines) == 0 {
		return "nothing"
	}
	return strings.Join(lines, "\n")
}

// unfinished names the branches that a record written now names as pending.
func (c *conversation) unfinished() (names string) {
	for i := range c.tx.Len() {
		if c.tx.Unfinished(i) {
			names += " " + c.tx.At(i).Name
		}
	}
	return names
}

// names returns the words that name a branch.
func (c *conversation) names() (names []string) {
	for _, a := range c.d.CmdArgs {
		if len(a.Key) == 1 {
			names = append(names, a.Key)
		}
	}
	return names
}

func (c *conversation) word(i int) string {
	if i >= len(c.d.CmdArgs) {
		c.d.Fatalf(c.t, "too few words")
	}
	return c.d.CmdArgs[i].Key
}

func (c *conversation) index(name string) int { return c.tx.Index(name) }

// parse finds the value with this name, written with hyphens for spaces.
func parse[T ~uint8](c *conversation, word string, names []string) T {
	i := slices.Index(names, strings.ReplaceAll(word, "-", " "))
	if i < 0 {
		i = slices.Index(names, word)
	}
	if i < 0 {
		c.d.Fatalf(c.t, "%q is none of %q", word, names)
	}
	return T(i)
}
