package actors

import (
	"github.com/google/uuid"

	"github.com/seed-d36415c0/dtc/protocol"
)

// maxKept is how many answers a gateway keeps that nobody was there to hear.
const maxKept = 1024

// keptAnswers holds how calls ended whose transactions had left memory by then,
// so that a call that took effect is not made again when the transaction is
// taken up. It is a courtesy: what it has dropped is simply called again. The
// zero value is ready to use.
type keptAnswers struct {
	answers map[uuid.UUID]kept
	order   []uuid.UUID
}

type kept struct {
	op     protocol.Op
	result protocol.Result
}

// keep keeps the result of a call that took effect.
func (k *keptAnswers) keep(id uuid.UUID, op protocol.Op, result protocol.Result) {
	if result != protocol.Done || op != protocol.Commit && op != protocol.Rollback {
		return
	}
	if k.answers == nil {
		k.answers = make(map[uuid.UUID]kept)
	}
	if _, ok := k.answers[id]; !ok {
		k.order = append(k.order, id)
	}
	k.answers[id] = kept{op, result}
	if len(k.order) > maxKept {
		delete(k.answers, k.order[0])
		k.order = append(k.order[:0], k.order[1:]...)
	}
}

// take returns the kept answer to a call, once.
func (k *keptAnswers) take(id uuid.UUID, op protocol.Op) (protocol.Result, bool) {
	a, ok := k.answers[id]
	if !ok || a.op != op {
		return 0, false
	}
	delete(k.answers, id)
	for i, other := range k.order {
		if other == id {
			k.order = append(k.order[:i], k.order[i+1:]...)
			break
		}
	}
	return a.result, true
}
