package servers

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"strings"
)

// Redis is a Redis server that keeps an append-only file.
var Redis = Kind{
	name:      "redis",
	program:   "redis-server",
	pkg:       "redis-server",
	user:      "redis",
	arguments: redisArguments,
	dsn:       func(addr, _ string) string { return "redis://" + addr },
	ping: func(ctx context.Context, s *Server) error {
		return converse(ctx, s.Addr(), "PING\r\n", "+PONG")
	},
}

func redisArguments(s *Server) []string {
	all := []string{"--port", fmt.Sprint(s.port), "--bind", "127.0.0.1", "--dir", s.data(), "--save", "",
		"--appendonly", "yes", "--appendfsync", "always"}
	for _, setting := range s.options.Settings {
		name, value, _ := strings.Cut(setting, " ")
		all = append(all, "--"+name, value)
	}
	return all
}

// converse says something to a server and looks at how its answer begins.
func converse(ctx context.Context, addr, say, want string) error {
	c, err := new(net.Dialer).DialContext(ctx, "tcp", addr)
	if err != nil {
		return err
	}
	defer c.Close()
	if deadline, ok := ctx.Deadline(); ok {
		if err := c.SetDeadline(deadline); err != nil {
			return err
		}
	}
	if _, err := c.Write([]byte(say)); err != nil {
		return err
	}
	line, err := bufio.NewReader(c).ReadString('\n')
	if err != nil {
		return err
	}
	if !strings.HasPrefix(line, want) {
		return fmt.Errorf("servers: the answer is %q, not %q", strings.TrimSpace(line), want)
	}
	return nil
}
