//go:build linux

package work

import (
	"testing"
	"time"
)

// TestWorkersOfACrashKeepTheLease: the program starts workers when it begins to work, crashes soon after, and its workers
// work on. Nobody has asked it to stop.
func TestWorkersOfACrashKeepTheLease(t *testing.T) {
	for _, m := range []mode{child, fence, news} {
		t.Run(string(m), func(t *testing.T) {
			t.Parallel()
			f, leader := scene(t, m, conduct{
				"Workers": 2, "Leave": true, "Deaf": true, "Linger": 5 * time.Second, "Crash": 700 * time.Millisecond,
			})
			f.close(t, leader, 3*sceneDuration+slack)
		})
	}
}
