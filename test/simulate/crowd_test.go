//go:build linux

package simulate

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"runtime"
	"sync"
	"testing"
)

// keepOf returns what a crowd keeps of each world.
func keepOf(digests bool) keep {
	if digests {
		return aDigest
	}
	return onlyCounts
}

// crowdTally is what came of the worlds of many seeds.
type crowdTally struct {
	tally
	first   uint64
	digests []uint64 // of the transcripts, by seed, where they were asked for
}

// digest is one hash over all transcripts.
func (c crowdTally) digest() uint64 {
	h := sha256.New()
	_ = binary.Write(h, binary.LittleEndian, c.digests)
	return binary.LittleEndian.Uint64(h.Sum(nil))
}

// crowd runs the worlds of so many seeds, as many at a time as there are processors, and adds up what came of them.
func crowd(t *testing.T, first uint64, count int, k keep) crowdTally {
	var (
		mu   sync.Mutex
		all  = crowdTally{tally: newTally(), first: first, digests: make([]uint64, count)}
		next = first
	)
	t.Run("worlds", func(t *testing.T) {
		for i := range runtime.GOMAXPROCS(0) {
			t.Run(fmt.Sprint(i), func(t *testing.T) {
				t.Parallel()
				for {
					mu.Lock()
					seed := next
					next++
					mu.Unlock()
					if seed >= first+uint64(count) {
						return
					}
					s := drawSchedule(seed)
					r := inBubble(t, s, k)
					mu.Lock()
					all.digests[seed-first] = r.digest
					all.merge(r.tally)
					failures := all.failed
					mu.Unlock()
					if r.failed() && *expected == "nothing" {
						t.Errorf("seed %d:\n%s", seed, r)
						if *shrinks && failures <= 2 {
							explain(t, s)
						}
					}
				}
			})
		}
	})
	return all
}
