//go:build linux

package harness

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"
)

// CPUTime is the processor time that a process has used, in steps of 10 ms.
func CPUTime(t testing.TB, pid int) time.Duration {
	t.Helper()
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		t.Fatalf("read the processor time of %d: %v", pid, err)
	}
	_, after, _ := bytes.Cut(stat, []byte(") "))
	var ticks int
	for _, field := range strings.Fields(string(after))[11:13] { // utime and stime
		n, err := strconv.Atoi(field)
		if err != nil {
			t.Fatalf("read the processor time of %d: %v", pid, err)
		}
		ticks += n
	}
	return time.Duration(ticks) * 10 * time.Millisecond
}
