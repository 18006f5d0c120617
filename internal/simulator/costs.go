package simulator

// Costs is what one transaction costs when nothing fails.
type Costs struct {
	Way          string `json:"way"`
	Participants int    `json:"participants"`
	Forced       uint64 `json:"forced_writes"`
	Messages     uint64 `json:"messages"`
}

// way is a way that a transaction can go, and what it is to cost with n
// participants.
type way struct {
	name             string
	kind             kind
	app              application
	alone            bool // with one participant only
	forced, messages func(n int) int
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
	return Costs{v.name, n, w.report.Forced, w.report.Messages - scans}, w.broken
}
