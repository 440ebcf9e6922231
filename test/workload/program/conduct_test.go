package main

import (
	"math/rand/v2"
	"testing"
	"time"
)

// TestBoundedConduct: a program that nothing kills ends in time, whatever is drawn; and one that is killed has every
// kind of conduct.
func TestBoundedConduct(t *testing.T) {
	const bound = 300 * time.Millisecond
	var slow, deaf, ignores, unlistens, crashes bool
	for seed := range uint64(2000) {
		c := draw(rand.New(rand.NewPCG(seed, 1)), bound)
		if c.Ignore || c.Stop < 0 || c.Linger < 0 || c.Stop+c.Linger > bound {
			t.Errorf("seed %d: %+v, want all of it over within %s of the signal", seed, c, bound)
		}
		c = draw(rand.New(rand.NewPCG(seed, 1)), 0)
		slow = slow || c.Stop > 2*time.Second
		deaf = deaf || c.Leave && c.Deaf && c.Linger > 2*time.Second && c.Workers > 1
		ignores, unlistens, crashes = ignores || c.Ignore, unlistens || c.Unlisten, crashes || c.Crash > 0
	}
	if !slow || !deaf || !ignores || !unlistens || !crashes {
		t.Errorf("of 2000: slow %v, left workers %v, ignores %v, endpoint first %v, crashes %v; want each", slow, deaf, ignores, unlistens, crashes)
	}
}

func TestOneSeedIsOneConduct(t *testing.T) {
	for seed := range uint64(100) {
		if a, b := draw(rand.New(rand.NewPCG(seed, 1)), 0), draw(rand.New(rand.NewPCG(seed, 1)), 0); a != b {
			t.Errorf("seed %d: %+v, then %+v", seed, a, b)
		}
	}
}
