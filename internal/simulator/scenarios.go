package simulator

import "github.com/seed-d36415c0/dtc/protocol"

// scenario is a fixed run, in which a crash is tried before every effect.
type scenario struct {
	name  string
	parts []kind
	// applications by what they end with; all enlist every participant unless said
	// otherwise.
	apps []application
	more func(w *world) // what else happens
}

// kind is the kind of a participant, and what it does.
type kind struct {
	twoPhase, recoverable, delegable, inquires bool
	moods                                      []scripted
}

var (
	lists     = kind{twoPhase: true, recoverable: true}
	passive   = kind{twoPhase: true}
	worker    = kind{}
	decides   = kind{twoPhase: true, recoverable: true, delegable: true}
	inquiring = kind{twoPhase: true, inquires: true}
)

// but returns the kind with a mood for its next call of that kind.
func (k kind) but(op protocol.Op, m mood, times int) kind {
	k.moods = append(k.moods[:len(k.moods):len(k.moods)], scripted{op, m, times})
	return k
}

var (
	commits  = application{ending: "commit"}
	posts    = application{ending: "commit", posts: true}
	durably  = application{ending: "commit", durable: true}
	chosen   = application{ending: "commit", chosen: true}
	rolls    = application{ending: "rollback"}
	abandons = application{}
)

// scenarios is every way that a transaction can go, once.
var scenarios = []scenario{
	{name: "empty", apps: []application{commits}},
	{name: "commit", parts: []kind{lists, lists}, apps: []application{commits}},
	{name: "commit, three posted", parts: []kind{lists, lists, lists}, apps: []application{posts}},
	{name: "commit with intent", parts: []kind{passive, lists}, apps: []application{commits}},
	{name: "commit, durable", parts: []kind{passive, lists}, apps: []application{durably}},
	{name: "rollback", parts: []kind{lists, passive}, apps: []application{rolls}},
	{name: "rollback, durable", parts: []kind{passive, worker}, apps: []application{{ending: "rollback", durable: true}}},
	{name: "abandoned", parts: []kind{lists, passive}, apps: []application{abandons}},
	{name: "abandoned, durable", parts: []kind{passive, lists}, apps: []application{{durable: true}}},
	{name: "refused", parts: []kind{lists, lists.but(protocol.Prepare, refusing, 1)}, apps: []application{commits}},
	{name: "refused after intent", parts: []kind{passive, passive.but(protocol.Prepare, failing, 1)}, apps: []application{commits}},
	{name: "read-only", parts: []kind{passive.but(protocol.Prepare, unconcerned, 9), passive.but(protocol.Prepare, unconcerned, 9)}, apps: []application{commits}},
	{name: "one read-only", parts: []kind{lists, passive.but(protocol.Prepare, unconcerned, 9)}, apps: []application{commits}},
	{name: "one-phase alone", parts: []kind{worker}, apps: []application{commits}},
	{name: "mixed", parts: []kind{lists, worker, worker}, apps: []application{commits}},
	{name: "mixed, last one fails", parts: []kind{lists, worker, worker.but(protocol.Commit, failing, 1)}, apps: []application{commits}},
	{name: "mixed, last one hangs", parts: []kind{passive, worker, worker.but(protocol.Commit, hanging, 1)}, apps: []application{commits}},
	{name: "delegated", parts: []kind{decides}, apps: []application{commits}},
	{name: "delegated and refused", parts: []kind{decides.but(protocol.CommitOnePhase, refusing, 1)}, apps: []application{commits}},
	{name: "delegated, refused, parked", parts: []kind{decides.but(protocol.CommitOnePhase, refusing, 1).but(protocol.Rollback, hanging, 1)}, apps: []application{commits}},
	{name: "delegated and unknown", parts: []kind{decides.but(protocol.CommitOnePhase, hanging, 1)}, apps: []application{commits}},
	{name: "delegated and failed", parts: []kind{decides.but(protocol.CommitOnePhase, failing, 1).but(protocol.Ask, failing, 2)}, apps: []application{commits}},
	{name: "prepare hangs", parts: []kind{lists, passive.but(protocol.Prepare, hanging, 1)}, apps: []application{commits}},
	{name: "commit hangs, parked", parts: []kind{lists, passive.but(protocol.Commit, hanging, 2)}, apps: []application{commits}},
	{name: "commit fails, retried", parts: []kind{lists, lists.but(protocol.Commit, failing, 3)}, apps: []application{commits}},
	{name: "rollback hangs, parked", parts: []kind{lists, lists.but(protocol.Rollback, hanging, 1)}, apps: []application{rolls}},
	{name: "rollback fails, retried", parts: []kind{worker.but(protocol.Rollback, failing, 2), lists.but(protocol.Prepare, failing, 1)}, apps: []application{commits}},
	{name: "inquired", parts: []kind{inquiring.but(protocol.Commit, failing, 6), lists}, apps: []application{commits}},
	{name: "two at a time", parts: []kind{lists, passive}, apps: []application{commits, chosen}},
	{name: "rollback races commit", parts: []kind{lists, lists}, apps: []application{commits}, more: func(w *world) {
		w.at(9, func() { w.askRollback(w.first(), func(answer) {}) })
	}},
	{name: "posted too late", parts: []kind{lists, lists}, apps: []application{{ending: "commit", names: []int{0}}}, more: func(w *world) {
		w.at(6, func() { w.post(w.first(), 1) })
		w.at(8, func() { w.askCommit(w.first(), nil, func(answer) {}) })
	}},
	{name: "in doubt", parts: []kind{lists, passive}, apps: []application{commits}, more: func(w *world) { w.failSync = 2 }},
	{name: "in doubt, one force", parts: []kind{lists, lists}, apps: []application{commits}, more: func(w *world) { w.failSync = 1 }},
	{name: "taken over", parts: []kind{lists, passive}, apps: []application{commits}, more: func(w *world) { w.at(11, w.fence) }},
	{name: "settled by hand", parts: []kind{lists, passive.but(protocol.Commit, failing, 50)}, apps: []application{commits}, more: func(w *world) {
		w.at(60, func() { w.settleBy(w.first(), 1, true, false) })
	}},
	{name: "small history", parts: []kind{lists, lists}, apps: []application{commits, rolls, chosen, posts}, more: func(w *world) {
		w.config.maxHistory = 2
	}},
}

// set makes the scenario's world.
func (s *scenario) set(w *world) {
	for i, k := range s.parts {
		w.parts = append(w.parts, &service{
			w: w, n: i, name: letter(i), up: true, held: make(map[id]*branch),
			twoPhase: k.twoPhase, recoverable: k.recoverable, delegable: k.delegable, inquires: k.inquires,
			moods: append([]scripted(nil), k.moods...), durableWork: i%2 == 0,
		})
	}
	for i := range s.apps {
		a := s.apps[i]
		if a.names == nil {
			for n := range s.parts {
				a.names = append(a.names, n)
			}
		}
		w.launch(4+int64(i), &a)
	}
	if s.more != nil {
		s.more(w)
	}
}

// first returns the id of the first transaction; of none, if it has not begun.
func (w *world) first() id {
	if len(w.order) == 0 {
		return 0
	}
	return w.order[0]
}
