package protocol

// how is the way in which a participant takes a call, where it has a choice.
type how uint8

const (
	succeeds how = iota
	fails        // without effect
	refuses      // rolls its branch back by itself
	leaves       // votes read-only
	hows
)

func (h how) String() string { return [...]string{"succeeds", "fails", "refuses", "is read-only"}[h] }

// react is a participant that keeps the three promises of package participant:
// where its branch stands after the call, and what it answers. It is not ok if
// the participant cannot take the call in this way.
func react(b Branch, s partState, op Op, h how) (to partState, r Result, ok bool) {
	switch h {
	case fails:
		return s, Failed, s != rolledBack && s != left
	case leaves:
		return left, ReadOnly, op == Prepare && (s == active || s == idle)
	case refuses:
		return refuse(b, s, op)
	}
	switch op {
	case Prepare:
		return prepareAnswer(s)
	case Commit:
		if !b.TwoPhase {
			return workAnswer(s, performed)
		}
		return committed, Done, s == prepared || s == committed
	case CommitOnePhase:
		return workAnswer(s, committed)
	case Ask:
		if s == committed {
			return committed, Done, true
		}
		return rolledBack, WasRolledBack, true
	default:
		if s == left {
			return left, Done, true
		}
		return rolledBack, Done, s != committed
	}
}

func refuse(b Branch, s partState, op Op) (to partState, r Result, ok bool) {
	fresh := s == active || s == idle
	switch {
	case op == Prepare, op == Commit && !b.TwoPhase:
		return rolledBack, Failed, fresh
	case op == CommitOnePhase:
		return rolledBack, WasRolledBack, fresh
	default:
		return rolledBack, WasRolledBack, op == Rollback && s == rolledBack
	}
}

func prepareAnswer(s partState) (partState, Result, bool) {
	switch s {
	case left:
		return left, ReadOnly, true
	case rolledBack:
		return rolledBack, WasRolledBack, true
	case committed:
		return committed, Done, true
	default:
		return prepared, Done, true
	}
}

func workAnswer(s, success partState) (partState, Result, bool) {
	if s == rolledBack {
		return rolledBack, WasRolledBack, true
	}
	return success, Done, true
}
