package grpcbranch

import (
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/keepalive"
)

const (
	pingEvery = 10 * time.Second // the least that grpc-go allows
	pingWait  = 5 * time.Second

	// retries has a call that a connection failed made again, up to three times within
	// 0.8 s: every call may come again.
	retries = `{"methodConfig": [{
		"name": [{"service": "dtc.v1.ParticipantService"}],
		"retryPolicy": {
			"maxAttempts": 4,
			"initialBackoff": "0.05s",
			"maxBackoff": "0.5s",
			"backoffMultiplier": 3,
			"retryableStatusCodes": ["UNAVAILABLE"]
		}
	}]}`
)

// DialOptions are for a connection to a service that has [ServerOptions]. They hold no
// credentials.
//
// A peer that no longer answers pings, sent every 10 s, is given up after 5 s more;
// without them calls run into their time one after another for a quarter of an
// hour, whatever stands at that address by then. A service that was down is tried
// again after 3 s at most, instead of the 2 minutes that are gRPC's default. A call
// that ends with UNAVAILABLE is made again up to three times within a second, so that
// a balancer or a server that closes a connection rolls no transaction back.
func DialOptions() []grpc.DialOption {
	return []grpc.DialOption{
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: pingEvery, Timeout: pingWait, PermitWithoutStream: true}),
		grpc.WithConnectParams(grpc.ConnectParams{
			Backoff:           backoff.Config{BaseDelay: 100 * time.Millisecond, Multiplier: 1.6, Jitter: 0.2, MaxDelay: 2500 * time.Millisecond},
			MinConnectTimeout: 5 * time.Second,
		}),
		grpc.WithDefaultServiceConfig(retries),
	}
}

// ServerOptions are for a server that is called with [DialOptions]: it takes their
// pings, and gives up callers that no longer answer its own as they do. One without
// closes such connections, as gRPC by default takes a ping in 5 minutes for an attack.
func ServerOptions() []grpc.ServerOption {
	return []grpc.ServerOption{
		grpc.KeepaliveParams(keepalive.ServerParameters{Time: pingEvery, Timeout: pingWait}),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: pingEvery / 2, PermitWithoutStream: true}),
	}
}
