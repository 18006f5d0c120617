package remote

import (
	"context"
	"net"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"
)

// How long things take that nobody needs to set.
const (
	// connectTimeout is for a connection, from the first packet to the peer's
	// greeting.
	connectTimeout = 3 * time.Second
	// holdOff is how long a peer that could not be reached is left alone.
	holdOff = 250 * time.Millisecond
	// A peer that says nothing is asked after aliveAfter, the least that grpc allows
	// its clients, and taken for dead when it does not answer within aliveTimeout.
	aliveAfter   = 10 * time.Second
	aliveTimeout = 2 * time.Second
)

func (c Config) serverOptions() []grpc.ServerOption {
	options := []grpc.ServerOption{
		grpc.MaxRecvMsgSize(c.MaxMessage),
		grpc.MaxConcurrentStreams(8),
		grpc.ConnectionTimeout(connectTimeout),
		grpc.KeepaliveParams(keepalive.ServerParameters{Time: aliveAfter, Timeout: aliveTimeout}),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: aliveAfter / 2, PermitWithoutStream: true}),
		grpc.WaitForHandlers(true),
	}
	if c.TLS != nil {
		options = append(options, grpc.Creds(credentials.NewTLS(c.TLS)))
	}
	return options
}

func (c Config) dialOptions() []grpc.DialOption {
	how := insecure.NewCredentials()
	if c.TLS != nil {
		how = credentials.NewTLS(c.TLS)
	}
	return []grpc.DialOption{
		grpc.WithTransportCredentials(how),
		grpc.WithContextDialer(dial),
		grpc.WithConnectParams(grpc.ConnectParams{MinConnectTimeout: connectTimeout}),
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: aliveAfter, Timeout: aliveTimeout}),
		grpc.WithDisableServiceConfig(),
	}
}

// dial connects without the proxies that the environment may name.
func dial(ctx context.Context, address string) (net.Conn, error) {
	return new(net.Dialer).DialContext(ctx, "tcp", address)
}
