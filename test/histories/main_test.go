package histories_test

import (
	"flag"
	"testing"

	"go.uber.org/goleak"
)

var (
	wanted = flag.Int("terms", 240, "how many terms each simulated run has, at least; never fewer than 200")
	seed   = flag.Uint64("seed", 1, "the seed of the first simulated history; the next has the next")
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }
