// Package servers starts private database and message servers: on a free port
// of the loopback interface, in a temporary directory, as an unprivileged user,
// from whatever server programs the machine has.
//
//	s, err := servers.Start(servers.Postgres, nil)
//	defer s.Close()
//	pool, err := pgxpool.New(ctx, s.DSN("postgres"))
//
// A server can be killed, started again on what it left, and paused, so that a
// test can see what its clients make of that. It dies with the process that
// started it.
//
// Its disk is as fast as it can be made: what a killed server wrote is there when
// it starts again, what a machine without power wrote may not be. [Options] say
// otherwise.
package servers
