package killtest_test

import (
	"fmt"
	"strconv"
	"strings"
	"sync"

	"github.com/google/uuid"

	"github.com/seed-d36415c0/dtc"
)

// notebook is what the application was told, of all transfers, over all lives of
// the coordinator.
type notebook struct {
	mu        sync.Mutex
	transfers map[uuid.UUID]*entry
	findings  []string // what should not have been told
}

type entry struct {
	number uint64
	told   string // committed or rolledBack; empty where nothing was told
	late   bool   // it was told after a crash only
}

func newNotebook() *notebook { return &notebook{transfers: make(map[uuid.UUID]*entry)} }

// note notes one line that the coordinator's process told.
func (n *notebook) note(line string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	words := append(strings.SplitN(line, " ", 3), "", "")
	id, err := uuid.Parse(words[1])
	known := n.transfers[id]
	switch {
	case words[0] == begun && err == nil && known == nil:
		number, err := strconv.ParseUint(words[2], 10, 64)
		n.transfers[id] = &entry{number: number}
		if err == nil {
			return
		}
	case known == nil || words[0] != committed && words[0] != rolledBack:
	case known.told == "" || known.told == words[0]:
		known.told = words[0]
		return
	}
	n.findings = append(n.findings, fmt.Sprintf("the application was told %q, after %q", line, known.said()))
}

// learn notes what the coordinator answers when it is asked again.
func (n *notebook) learn(id uuid.UUID, o dtc.Outcome, err error) {
	e := n.transfers[id]
	e.late = e.late || e.told == ""
	switch {
	case err == nil && o == dtc.Committed:
		n.note(fmt.Sprint(committed, " ", id))
	case err == nil && o == dtc.RolledBack:
		n.note(fmt.Sprint(rolledBack, " ", id))
	default:
		n.findings = append(n.findings, fmt.Sprintf("%s was told %q, and then %v (%v)", id, e.told, o, err))
	}
}

func (e *entry) said() string {
	if e == nil {
		return ""
	}
	return e.told
}

// count returns how many transfers were begun, and how many were told this and
// that by the call that the application waited in.
func (n *notebook) count() (begun, toldCommitted, toldRolledBack int) {
	for _, e := range n.transfers {
		switch {
		case e.late:
		case e.told == committed:
			toldCommitted++
		case e.told == rolledBack:
			toldRolledBack++
		}
	}
	return len(n.transfers), toldCommitted, toldRolledBack
}
