package bench

import (
	"testing"

	"github.com/seed-d36415c0/dtc/internal/serverstest"
)

func TestMain(m *testing.M) { serverstest.Main(m) }
