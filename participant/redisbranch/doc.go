// Package redisbranch makes data in Redis a participant: points, stock, seats,
// quotas, whatever a few lines of Lua can change.
//
// You write the steps; the package runs each of them in one script together with
// the record of the branch, so that Redis does both or neither. In two phases
// they are try, confirm and cancel:
//
//	client := redis.NewClient(&redis.Options{Addr: addr, ContextTimeoutEnabled: true})
//	stock, err := redisbranch.OpenTCC(ctx, "stock", client, redisbranch.TCC{
//		Try: `local left = tonumber(redis.call('GET', KEYS[1]) or '0')
//			if left < tonumber(ARGV[1]) then return redis.error_reply('only ' .. left .. ' left') end
//			redis.call('DECRBY', KEYS[1], ARGV[1])`,
//		Cancel: `redis.call('INCRBY', KEYS[1], ARGV[1])`,
//	}, nil)
//	payload, err := redisbranch.Call{Keys: []string{"{stock}:widget"}, Args: []string{"2"}}.Encode()
//	err = tx.Enlist(ctx, stock, payload)
//
// With [OpenSaga] there are only Do and its compensation Undo.
//
// # Steps
//
// A step is the body of a Lua function. It has the KEYS and ARGV of the branch's
// [Call], and redis. It accepts by returning anything but an error, and refuses
// with redis.error_reply. An empty step has nothing to do.
//
// Check first, then write: Redis does not undo what a failing script wrote. A
// step that refuses or fails before its first write has no effect, and is run
// again where the protocol asks again. (A write is a command that Redis calls
// one, or that has subcommands, such as XGROUP.) One that fails after a write has
// torn its branch: that is recorded, every further call of the branch is refused with a
// [*TornError] and runs nothing, so that nothing is done twice, and the
// transaction stays listed until a person has mended the data and called Mend.
// Confirm, Cancel and Undo have no right to refuse: an error of theirs has them
// run again until they succeed. They are run also when Redis is out of memory. A
// new version of a step finishes what an old one has begun.
//
// # What it guarantees, and what not
//
// Each step takes effect once for a branch, however often and from however many
// processes it is called. A branch that is rolled back is remembered, and a call
// that comes late is refused with participant.ErrRolledBack. Prepared branches
// are kept with their payload until they are settled, and are listed by InDoubt.
// There is no isolation: what Try has written, others see.
//
// It is compensable, and best effort on failover: a Redis primary acknowledges
// before its replicas have the write, so a failover loses acknowledged branches,
// effect and record together. Where all records of a participant are gone, calls
// fail with [ErrLost] until it is opened again; what was prepared before is then
// refused with participant.ErrNotPrepared, and stays listed.
//
// # What the operator sets
//
// On the server "appendonly yes" and "appendfsync always": otherwise a crash
// loses what was acknowledged. "maxmemory-policy noeviction", the default.
// Opening asks with CONFIG GET, and refuses other settings, or a server that does
// not tell, with a [*SettingError] unless Options.AcceptLoss is set. On the client
// ContextTimeoutEnabled, without which calls outlive their time: refused with a
// [*ClientError]. A call ends at its context's deadline; a context that is
// cancelled before that ends it when the client's ReadTimeout has passed.
//
// Users of Redis with limited rights need the keys below and those of the steps,
// what the steps call, and EVAL, EVALSHA, SCRIPT LOAD, CONFIG GET, COMMAND INFO,
// TIME, HMGET, HSET, EXISTS, DEL, PERSIST, PEXPIREAT, SADD, SREM and SMEMBERS.
// Redis 7.0 is what the tests run.
//
// # Keys, and Redis Cluster
//
// All keys of a participant have one hash tag, Options.Tag, by default its name:
//
//	dtc:{tag}:participant:NAME                     one hash: since when, and how long, it remembers
//	dtc:{tag}:branch:NAME:COORDINATOR:TRANSACTION  a hash for each branch
//	dtc:{tag}:open:NAME:COORDINATOR                the set of prepared branches
//
// A cluster runs a script in one slot, so the keys of a Call need the same tag
// there: "{stock}:widget". A participant lives in one slot, and so on one node.
// Data that is to be spread needs a participant for each set of keys that change
// together: "points-0" to "points-15", each with its own tag, and the account
// decides which one is enlisted.
//
// # What is remembered
//
// A settled branch is remembered for Options.Remember after it was settled, and
// then expires. Prepare, and a one-phase branch's Commit and Rollback, of a
// transaction that is older than that and not held are refused with a
// *participant.ForgottenError, as are those from before the participant was first
// opened. The time is the one in the transaction's version 7 id, by the
// coordinator's clock, against that of the Redis server, whose clock must not be
// set back, nor be behind where a replica takes over. Where the coordinator's is
// behind, its transactions are refused for that long after the first opening.
// Prepared and torn branches never expire.
package redisbranch
