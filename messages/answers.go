package messages

import (
	"strings"
	"unicode/utf8"
)

// MaxReason is the length, in bytes, to which the reason in an answer is cut.
const MaxReason = 1024

// alreadyRolledBack is the reason that goes with a rolled_back of true.
const alreadyRolledBack = "the branch was rolled back before"

// Yes answers that the branch is prepared: it can commit and can roll back, also
// after a crash.
func (p *Prepare) Yes() *Voted { return p.vote(Vote_VOTE_YES) }

// ReadOnly answers that the branch has nothing to commit or to roll back.
func (p *Prepare) ReadOnly() *Voted { return p.vote(Vote_VOTE_READ_ONLY) }

// No answers that the branch cannot commit, because of err; nil gives no reason.
func (p *Prepare) No(err error) *Voted {
	v := p.vote(Vote_VOTE_NO)
	v.Reason = reason(err)
	return v
}

// AlreadyRolledBack answers that the branch cannot be prepared, because it was
// rolled back before.
func (p *Prepare) AlreadyRolledBack() *Voted {
	v := p.vote(Vote_VOTE_NO)
	v.Reason, v.RolledBack = alreadyRolledBack, true
	return v
}

func (p *Prepare) vote(vote Vote) *Voted {
	return &Voted{
		Transaction: p.GetBranch().GetTransaction(),
		Participant: p.GetBranch().GetParticipant(),
		Attempt:     p.GetAttempt(),
		Vote:        vote,
	}
}

// Done answers that the branch is committed, now or before, and stays so.
func (c *Commit) Done() *Acked { return acked(c.GetBranch(), c.GetAttempt(), true) }

// Failed answers that the branch is not committed yet, because of err; nil gives
// no reason. The Commit comes again.
func (c *Commit) Failed(err error) *Acked {
	a := acked(c.GetBranch(), c.GetAttempt(), false)
	a.Reason = reason(err)
	return a
}

// AlreadyRolledBack answers that the branch cannot be committed, because it was
// rolled back before.
func (c *Commit) AlreadyRolledBack() *Acked {
	a := acked(c.GetBranch(), c.GetAttempt(), false)
	a.Reason, a.RolledBack = alreadyRolledBack, true
	return a
}

// Done answers that the branch is rolled back, now or before, and stays so.
func (r *Rollback) Done() *Acked { return acked(r.GetBranch(), r.GetAttempt(), true) }

// Failed answers that the branch is not rolled back yet, because of err; nil
// gives no reason. The Rollback comes again.
func (r *Rollback) Failed(err error) *Acked {
	a := acked(r.GetBranch(), r.GetAttempt(), false)
	a.Reason = reason(err)
	return a
}

func acked(b *Branch, attempt uint32, done bool) *Acked {
	return &Acked{
		Transaction: b.GetTransaction(),
		Participant: b.GetParticipant(),
		Attempt:     attempt,
		Done:        done,
	}
}

// Inquire asks the branch's coordinator what became of its transaction.
func (b *Branch) Inquire() *Inquire {
	return &Inquire{Transaction: b.GetTransaction(), Participant: b.GetParticipant()}
}

// Decided answers with the outcome.
func (i *Inquire) Decided(outcome Outcome) *Decided {
	return &Decided{
		Transaction: i.GetTransaction(),
		Participant: i.GetParticipant(),
		Outcome:     outcome,
	}
}

// reason is the error's text, fit for a protobuf string: valid UTF-8, and of
// bounded length.
func reason(err error) string {
	if err == nil {
		return ""
	}
	text := strings.ToValidUTF8(err.Error(), "\uFFFD")
	if len(text) <= MaxReason {
		return text
	}
	end := MaxReason
	for !utf8.RuneStart(text[end]) {
		end--
	}
	return text[:end]
}
