//go:build linux

package fleet

import (
	"math/rand"
	"os"
	"sync"
	"testing"
	"testing/synctest"
)

// Play runs a plan in a bubble of its own and returns what came of it. Several may run at once.
//
// Where client-go's elector campaigns, Play seeds math/rand's global generator, from which client-go draws the pauses between its
// attempts. For that the test needs the line //go:debug randseednop=0.
func Play(t *testing.T, p Plan, k Keep) (r Result) {
	t.Helper()
	dir, err := os.MkdirTemp(volumes(), "simulate")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	if p.mixed() {
		jitter.Lock()
		defer jitter.Unlock()
		rand.Seed(int64(p.Seed)) //nolint:staticcheck // client-go takes no generator of ours
	}
	synctest.Test(t, func(*testing.T) { r = live(p, dir, k) })
	return r
}

// jitter makes one world at a time the user of math/rand's global generator.
var jitter sync.Mutex

// volumes returns where the signal directories are made: in memory where possible.
func volumes() string {
	const memory = "/dev/shm"
	if info, err := os.Stat(memory); err == nil && info.IsDir() {
		return memory
	}
	return ""
}
