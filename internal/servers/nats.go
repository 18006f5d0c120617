package servers

import (
	"context"
	"fmt"
)

// NATS is a NATS server with JetStream.
var NATS = Kind{
	name:      "nats",
	program:   "nats-server",
	pkg:       "nats-server",
	user:      "nats",
	arguments: natsArguments,
	dsn:       func(addr, _ string) string { return "nats://" + addr },
	ping:      func(ctx context.Context, s *Server) error { return converse(ctx, s.Addr(), "", "INFO ") },
}

func natsArguments(s *Server) []string {
	return append([]string{"--addr", "127.0.0.1", "--port", fmt.Sprint(s.port), "--jetstream", "--store_dir", s.data()},
		s.options.Settings...)
}
