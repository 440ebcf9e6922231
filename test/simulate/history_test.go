//go:build linux

package simulate

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestOneSeedIsOneHistory lives through every world of -seeds twice, with another number of processors and of worlds at a
// time, and compares what happened, to the nanosecond. make simulate does the same for all of its seeds (-twice).
func TestOneSeedIsOneHistory(t *testing.T) {
	if *oneSeed != 0 {
		sameHistory(t, drawSchedule(*oneSeed))
		return
	}
	compare(t, crowd(t, *first, *seeds, aDigest))
}

// compare lives through the worlds of a crowd once more, and tells of each whose transcript is another one than before.
func compare(t *testing.T, once crowdTally) {
	processors := runtime.GOMAXPROCS(0)
	defer runtime.GOMAXPROCS(processors)
	runtime.GOMAXPROCS(2*processors + 1)
	again := crowd(t, once.first, len(once.digests), aDigest)
	t.Logf("one hash over all %d transcripts: %016x, and again with %d processors: %016x",
		len(once.digests), once.digest(), runtime.GOMAXPROCS(0), again.digest())
	other := 0
	for i, digest := range once.digests {
		if digest == again.digests[i] {
			continue
		}
		t.Errorf("seed %d is two histories: go test ./test/simulate -run TestOneSeedIsOneHistory -seed %[1]d", once.first+uint64(i))
		if other++; other <= 3 && *shrinks {
			sameHistory(t, drawSchedule(once.first+uint64(i)))
		}
	}
	if slices.Contains(once.digests, 0) {
		t.Error("a transcript has no digest")
	}
}

// sameHistory lives through one world up to 40 times, several at a time, and prints where two transcripts part.
func sameHistory(t *testing.T, s schedule) {
	once := strings.Split(inBubble(t, s, everything).transcript, "\n")
	t.Run(fmt.Sprint("seed ", s.Seed), func(t *testing.T) {
		for range 4 {
			t.Run("again", func(t *testing.T) {
				t.Parallel()
				for range 10 {
					if where := parting(once, strings.Split(inBubble(t, s, everything).transcript, "\n")); where != "" {
						t.Error(where)
						return
					}
				}
			})
		}
	})
}

// parting returns where two transcripts begin to differ, or "".
func parting(a, b []string) string {
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
