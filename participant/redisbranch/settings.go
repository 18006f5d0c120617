package redisbranch

import (
	"context"

	"github.com/redis/go-redis/v9"
)

// checkClient refuses a client that does not keep to a context's deadline.
func checkClient(client redis.UniversalClient) error {
	var keeps bool
	switch c := client.(type) {
	case *redis.Client:
		keeps = c != nil && c.Options().ContextTimeoutEnabled
	case *redis.ClusterClient:
		keeps = c != nil && c.Options().ContextTimeoutEnabled
	default:
		return &ClientError{"it is neither a *redis.Client nor a *redis.ClusterClient"}
	}
	if !keeps {
		return &ClientError{"calls would outlive their context: set ContextTimeoutEnabled in its options"}
	}
	return nil
}

// checkServer refuses a server that may lose what it acknowledged. In a cluster
// it asks the primary that has the key now.
func checkServer(ctx context.Context, client redis.UniversalClient, key string) error {
	server := redis.Cmdable(client)
	if c, ok := client.(*redis.ClusterClient); ok {
		primary, err := c.MasterForKey(ctx, key)
		if err != nil {
			return err
		}
		server = primary
	}
	for _, s := range []SettingError{
		{Setting: "appendonly", Want: "yes"},
		{Setting: "appendfsync", Want: "always"},
		{Setting: "maxmemory", Want: "0"},
		{Setting: "maxmemory-policy", Want: "noeviction"},
	} {
		all, err := server.ConfigGet(ctx, s.Setting).Result()
		if err != nil {
			if !isAnswer(err) {
				return err
			}
			s.Err = err
			return &s
		}
		s.Value = all[s.Setting]
		if s.Setting == "maxmemory" && s.Value == s.Want {
			return nil // nothing is evicted
		}
		if s.Setting != "maxmemory" && s.Value != s.Want {
			return &s
		}
	}
	return nil
}
