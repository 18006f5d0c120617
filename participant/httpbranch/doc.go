// Package httpbranch is a participant over HTTP, for services in any language.
//
// The coordinator's side makes a participant of a URL:
//
//	payment, err := httpbranch.New("payment", "https://payment.internal/dtc", nil)
//	err = coordinator.Run(ctx, nil, func(tx *dtc.Tx) error {
//		return tx.Enlist(ctx, payment, []byte(`{"order": 17, "cents": 1250}`))
//	})
//
// A service in Go serves any participant that it has:
//
//	http.Handle("/dtc/", httpbranch.Handler(ledger, nil))
//
// A service in another language answers a few requests with status codes:
// testdata/service.py is one, in the standard library of Python. [OpenAPI] is the same
// protocol for machines.
//
// # Requests
//
//	POST {base}/prepare             two-phase services: be able to commit or roll back
//	POST {base}/commit              make it permanent; a one-phase service does its work here
//	POST {base}/rollback            undo it, whatever came before
//	POST {base}/commit-one-phase    with Options.OnePhaseCommitter: prepare and commit at once
//	POST {base}/committed           with Options.OnePhaseCommitter: did that take effect? Else it never will
//	GET  {base}/in-doubt?coordinator=C&participant=P    with Options.Recoverer: what is prepared and undecided
//
// The body of a POST is the branch's payload as it was enlisted, the same in every
// call of the branch. These headers come with it:
//
//	Dtc-Call          the key of the call: repeat it in the answer
//	Dtc-Transaction   the transaction's id, a version 7 UUID
//	Dtc-Participant   the participant's name: refuse one that is not yours
//	Dtc-Coordinator   the coordinator's name; left out where it has none
//	Dtc-Deadline      when the caller stops waiting, in milliseconds since 1970 UTC
//
// Any call may come again, with the same key, also while the first is still at work,
// and must take effect once. Names are percent-encoded, all but letters, digits and
// "-._~".
// Prepare, a one-phase commit and commit-one-phase that come after the deadline
// must be refused; what was rolled back must refuse them however early they are.
//
// # Answers
//
// The status says it all. An answer counts only if it repeats the header Dtc-Call, and
// has come to its end: so a login page, a gateway that answers 200 to everything, or
// the answer to another call is never taken for a yes.
//
//	                        prepare     commit          rollback    commit-one-phase  committed
//	200, 201, 204           yes         done            done        committed         yes
//	 + Dtc-Vote: read-only  read-only
//	409 rolled-back         no          refused         again       rolled back       no, and never
//	409 any other           no          no, or again    again       ask committed     again
//	other 4xx, 3xx          no          no, or again    again       ask committed     again
//	202, other 2xx          no          no, or again    again       ask committed     again
//	425, 429, 5xx           no          no, or again    again       ask committed     again
//	none, cut off, late     no          no, or again    again       ask committed     again
//
// "No" rolls the transaction back, and this branch is told so too. "Again" is told
// again until it is done, by the coordinator's own back-off: a Retry-After is not
// read, and nothing is repeated within a call, but a request that was lost with a
// kept connection. A one-phase service's commit is a vote: no. 202 says that the
// work is not done yet, and is no answer. Status 400, 401, 403, 404, 405, 413 and
// 415 are mistakes of somebody's configuration: after the decision they are told
// again as well, and each time the coordinator logs them, until somebody mends it.
// A rollback of what the service has never heard of is answered with 2xx, never
// with 404.
//
// A refusal is a problem document (RFC 9457, application/problem+json), whose type
// is one of these; its title and detail stand in the coordinator's errors and logs,
// so they must not hold secrets:
//
//	urn:dtc:rolled-back    409  the branch was rolled back, for good
//	urn:dtc:refused        409  the service does not want this branch
//	urn:dtc:not-prepared   409  commit of a branch that is not prepared
//	urn:dtc:committed      409  rollback of a two-phase branch that is committed
//	urn:dtc:forgotten      409  too old to be sure: see participant.ForgottenError
//
// The answer to in-doubt is 200, with all that is prepared and undecided. It may list
// branches of other coordinators; the client takes those that are its own:
//
//	{"branches": [{"transaction": "0198…", "coordinator": "shop"}]}
//
// # What it does not do
//
// The three promises of package participant are the service's to keep, across all
// processes behind the URL, and so is what it remembers to keep them. [Handler] has
// the calls of one branch come one at a time, in its own process.
//
// A service that does not answer is a no to prepare, though it may be back in a moment.
// A call is repeated at once only where a kept connection turns out to be gone.
//
// HTTP says nothing of a caller's right to call: put authentication in front of
// [Handler], and in Options.Header. Where the service's clock is ahead by the
// coordinator's ParticipantTimeout, every deadline has passed: keep clocks in step.
//
// Plain HTTP is spoken by a lean client of the package's own; https, a proxy of the
// environment and Options.Transport are left to net/http, with HTTP/2 where the
// service has it.
package httpbranch
