//go:build linux

package harness

import (
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/lease-sidecar/lease-sidecar/internal/guard/guardtest"
)

// TestChildrenHaveDefaultSignals starts this test again as nohup and a background job do, and has it start a child, which ignores
// neither. Make starts it, after which signal 32 is ignored, too (by glibc's posix_spawn); Go cannot reset that one.
func TestChildrenHaveDefaultSignals(t *testing.T) {
	const again = "HARNESS_AGAIN"
	if os.Getenv(again) != "" {
		guardtest.DefaultSignals() // starts this process once more
		for _, name := range []string{"HUP", "INT"} {
			if out, err := exec.Command("sh", "-c", "kill -"+name+" $$; echo it lives on").CombinedOutput(); len(out) > 0 || err == nil {
				t.Errorf("SIG%s: %s, %v; want a child that it ends", name, out, err)
			}
		}
		return
	}
	self := exec.Command("sh", "-c", `trap '' HUP INT; exec make -sf - SELF="$0"`, os.Args[0])
	self.Stdin = strings.NewReader("all:\n\t$(SELF) -test.run='^TestChildrenHaveDefaultSignals$$' -test.v\n")
	self.Env = append(os.Environ(), again+"=1")
	if out, err := self.CombinedOutput(); err != nil || !strings.Contains(string(out), "PASS: TestChildrenHaveDefaultSignals") {
		t.Errorf("%v\n%s", err, out)
	}
}

func TestRank(t *testing.T) {
	values := []time.Duration{5, 1, 4, 2, 3}
	for _, tc := range []struct {
		share float64
		want  time.Duration
	}{{0.5, 3}, {0.99, 5}, {0, 1}, {0.2, 1}, {0.21, 2}, {1, 5}} {
		if got := Rank(values, tc.share); got != tc.want {
			t.Errorf("Rank(%v, %v) = %d, want %d", values, tc.share, got, tc.want)
		}
	}
	if got := Rank(nil, 0.5); got != 0 {
		t.Errorf("the rank of nothing is %d", got)
	}
}
