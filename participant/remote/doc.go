// Package remote is for participants in other processes: a coordinator here
// enlists what is served there, actor to actor, over mutual TLS.
//
// In the process that holds the resource:
//
//	node, err := remote.Listen(system, remote.Config{Address: "stock.example:7000", TLS: certificates})
//	err = node.Serve(stock) // any participant.Preparer
//
// In the process of the coordinator:
//
//	node, err := remote.Listen(system, remote.Config{Address: "shop.example:7000", TLS: certificates})
//	coordinator, err := dtc.Open(system, dtc.Config{Journal: journal})
//	err = coordinator.Execute(ctx, nil, dtc.Enlistment{Participant: node.Participant("stock", "stock.example:7000"), Payload: order})
//
// Both processes listen: questions go one way, answers come on a connection of
// the other way. So each must be reachable at the address that it advertises. One
// node can do both, serve and ask. Where only the service can be reached, or it is
// one-phase or not written in Go, package grpcbranch is for it.
//
// # What it guarantees
//
// What is said is package messages. Any message may come twice, late or not at
// all; the coordinator repeats a decision until it is acknowledged, and Prepare
// says itself when it is too late, by the coordinator's clock: a process whose clock
// is ahead by more than ParticipantTimeout refuses every Prepare. A participant is
// called for one branch one call at a time, in order; a panic is a no, whatever it
// panics with; a call that comes again while it runs is answered once, to the one who
// asked last.
//
// What cannot be sent, because there is no connection or the message is too long,
// is answered at once on this side, with the reason: a Prepare is voted no, a
// decision is not acknowledged. What was sent and lost is noticed when the
// coordinator's ParticipantTimeout is over. A peer that has stopped without closing
// its connections is noticed after 12 seconds. One that is back is connected to
// with the next message, at most a quarter of a second after an attempt that failed.
//
// An answer reaches only who asked, in the incarnation that asked: askers are
// known to a peer under random names that die with the process. So an answer from
// before a restart on the same port finds nobody.
//
// # What it does not
//
// The promises of package participant are the participant's own, and what it knows
// of prepared and rolled back branches must last as long as its effects. Where it
// cannot, participant.Idempotent with a lasting Store keeps the promises for it.
//
// A branch that is in doubt when its process restarts does not ask: the coordinator
// has written down who is in the transaction, and tells its decision again, at the
// latest Config.Retry.Max of the coordinator after the participant is back. Until
// then what the branch has locked stays locked. A coordinator whose journal does not
// last forgets, and such a branch is for its operator.
//
// Only two-phase participants can be served: what has no Prepare cannot be asked
// whether it will succeed, and [Node.Serve] refuses it with [*KindError]. Seen from
// the coordinator every served participant is two-phase and no more: one that is a
// Recoverer or a OnePhaseCommitter too costs the journal one more forced write than
// it would in the coordinator's own process. The calls of a NonBlocking one are made
// one at a time.
//
// # Who may do what
//
// Both sides show a certificate that the other verifies, in both directions; a
// node without TLS has to be asked for in so many words (Config.Insecure). Who
// holds an accepted certificate is trusted as a coordinator: it can decide about
// every branch that is served. It can do no more than that. Let through are the
// three questions, to served participants, and answers, to those who asked. Nobody
// can stop, watch or spawn an actor, relay a message, have this process connect to
// a host that is not in his certificate (unless Config.TLS has a ServerName, which
// all share), or end it. Messages that this version does not know, as from a newer
// one, are dropped one by one and logged.
//
// # The actor system
//
// Actors elsewhere are those of an actor.PID with another address, and the node
// carries what package messages says between them, in the protocol of protoactor's
// remote: so the other end may also be a plain protoactor remote, with an actor of
// the user's named dtc/participant/ and the participant's name. The node stands in
// the place of protoactor's own implementation, which dies of messages that it does
// not know, does what strangers tell it, loses what it cannot send without a word,
// keeps silent for 10 seconds about a peer that is not there, and changes the log of
// the grpc library for the whole process. Other messages do not cross, and actors
// elsewhere cannot be watched.
//
// [Listen] comes first, before the coordinator is opened and before the system is
// used by several goroutines, and once in a system's life.
//
// # Bounds
//
// Config.MaxMessage bounds what is sent in one piece, and so a branch's payload;
// longer bursts are cut. Config.MaxCalls and Config.MaxWaiting bound what a
// participant does and holds; what comes on top is refused. 65,536 messages may wait
// for a peer, more are refused; these bounds are in branches and messages, and what
// bounds their bytes is the coordinators' MaxPayload. What is dropped is logged by the
// actor system's logger, at most one line a second. Payloads are never logged.
package remote
