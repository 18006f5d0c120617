package redisbranch

import (
	"context"
	"errors"

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

// checkServer refuses a server that may lose what it acknowledged.
func checkServer(ctx context.Context, server redis.Cmdable) error {
	for _, s := range []SettingError{
		{Setting: "appendonly", Want: "yes"},
		{Setting: "appendfsync", Want: "always"},
		{Setting: "maxmemory-policy", Want: "noeviction"},
	} {
		all, err := server.ConfigGet(ctx, s.Setting).Result()
		if isAnswer(err) {
			s.Err = err
			return &s
		}
		if err != nil {
			return err
		}
		if s.Value = all[s.Setting]; s.Value != s.Want {
			return &s
		}
	}
	return nil
}

// isAnswer tells whether the error is what Redis answered, and not the loss of an
// answer.
func isAnswer(err error) bool {
	var answered redis.Error
	return errors.As(err, &answered)
}
