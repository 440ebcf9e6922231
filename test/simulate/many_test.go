//go:build linux

package simulate

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lease-sidecar/lease-sidecar/test/simulate/fleet"
)

// manyTally is what came of the worlds of many seeds.
type manyTally struct {
	fleet.Tally
	first   uint64
	digests []uint64 // of the transcripts, by seed, where they were asked for
}

// digest returns one hash over all transcripts.
func (c manyTally) digest() uint64 {
	h := sha256.New()
	_ = binary.Write(h, binary.LittleEndian, c.digests)
	return binary.LittleEndian.Uint64(h.Sum(nil))
}

// runMany runs the worlds of so many seeds, as many at a time as there are processors, and adds up what came of them.
func runMany(t *testing.T, first uint64, count int, k fleet.Keep) manyTally {
	var (
		mu   sync.Mutex
		all  = manyTally{Tally: fleet.NewTally(), first: first, digests: make([]uint64, count)}
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
					p := fleet.Draw(seed)
					r := fleet.Play(t, p, k)
					mu.Lock()
					all.digests[seed-first] = r.Digest
					all.Merge(r.Tally)
					failures := all.Failed
					mu.Unlock()
					if r.Failed() && *expected == "nothing" {
						t.Errorf("seed %d:\n%s", seed, r)
						if *shrinks && failures <= 2 {
							explain(t, p)
						}
					}
				}
			})
		}
	})
	return all
}

// compare runs the worlds once more, and reports each whose transcript differs from the first run's.
func compare(t *testing.T, once manyTally) {
	processors := runtime.GOMAXPROCS(0)
	defer runtime.GOMAXPROCS(processors)
	runtime.GOMAXPROCS(2*processors + 1)
	again := runMany(t, once.first, len(once.digests), fleet.Digest)
	t.Logf("one hash over all %d transcripts: %016x, and again with %d processors: %016x",
		len(once.digests), once.digest(), runtime.GOMAXPROCS(0), again.digest())
	other := 0
	for i, digest := range once.digests {
		if digest == again.digests[i] {
			continue
		}
		t.Errorf("seed %d is two histories: go test ./test/simulate -run TestOneSeedIsOneHistory -seed %[1]d", once.first+uint64(i))
		if other++; other <= 3 && *shrinks {
			sameHistory(t, fleet.Draw(once.first+uint64(i)))
		}
	}
	if slices.Contains(once.digests, 0) {
		t.Error("a transcript has no digest")
	}
}

// sameHistory runs one world up to 40 times, several at a time, and prints where two transcripts begin to differ.
func sameHistory(t *testing.T, p fleet.Plan) {
	transcript := func(t *testing.T) []string { return strings.Split(fleet.Play(t, p, fleet.Everything).Transcript, "\n") }
	once := transcript(t)
	t.Run(fmt.Sprint("seed ", p.Seed), func(t *testing.T) {
		for range 4 {
			t.Run("again", func(t *testing.T) {
				t.Parallel()
				for range 10 {
					if where := difference(once, transcript(t)); where != "" {
						t.Error(where)
						return
					}
				}
			})
		}
	})
}

// difference returns where two transcripts begin to differ, or "".
func difference(a, b []string) string {
	at := 0
	for at < min(len(a), len(b)) && a[at] == b[at] {
		at++
	}
	if at == len(a) && at == len(b) {
		return ""
	}
	from := max(0, at-8)
	return fmt.Sprintf("line %d:\n%s", at, cmp.Diff(a[from:min(at+4, len(a))], b[from:min(at+4, len(b))]))
}
