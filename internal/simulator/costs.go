package simulator

import "strconv"

// Costs is what one transaction costs when nothing fails.
type Costs struct {
	Way          string `json:"way"`
	Participants int    `json:"participants"`
	Forced       uint64 `json:"forced_writes"`
	Messages     uint64 `json:"messages"`
	// What the textbook's presumed abort takes, at the coordinator; empty where it
	// has no such thing.
	TextbookForced   string `json:"textbook_forced_writes"`
	TextbookMessages string `json:"textbook_messages"`
}

// way is a way that a transaction can go, and what it is to cost with n
// participants.
type way struct {
	name             string
	kind             kind
	app              application
	alone            bool // with one participant only
	forced, messages func(n int) int
	textbook         func(n int) (forced, messages int) // nil for none
}

func none(int) int { return 0 }
func one(int) int  { return 1 }
func two(int) int  { return 2 }

// times returns how many messages k calls and answers per participant are.
func times(k int) func(n int) int { return func(n int) int { return 2 * k * n } }

// costs counts what a transaction costs that goes this way.
func (v *way) costs(n int) (Costs, error) {
	s := scenario{apps: []application{v.app}}
	for range n {
		s.parts = append(s.parts, v.kind)
	}
	s.more = func(w *world) {
		w.config.maxParticipants = n
		w.config.recoveryInterval = 1_000_000 // scans are not the transaction's
		w.config.faultsEnd = 500
	}
	w := s.run(nil, nil)
	scans := uint64(0)
	if v.kind.recoverable {
		scans = uint64(2 * n) // when the journal is opened
	}
	c := Costs{Way: v.name, Participants: n, Forced: w.report.Forced, Messages: w.report.Messages - scans}
	if v.textbook != nil {
		forced, messages := v.textbook(n)
		c.TextbookForced, c.TextbookMessages = strconv.Itoa(forced), strconv.Itoa(messages)
	}
	return c, w.broken
}
