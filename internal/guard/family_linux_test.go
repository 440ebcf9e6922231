package guard

import (
	"context"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"
)

func contextWithin(d time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), d)
}

func TestParseProcess(t *testing.T) {
	const rest = " S 12 1 1 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 98765 1 2 3"
	tests := map[string]struct {
		stat string
		want process
	}{
		"plain":                  {stat: "34 (sh)" + rest, want: process{34, 12, 'S', 98765}},
		"a name with brackets":   {stat: "34 (a) R 1 (b))" + rest, want: process{34, 12, 'S', 98765}},
		"a name with a new line": {stat: "34 (a\nb)" + rest, want: process{34, 12, 'S', 98765}},
		"cut short":              {stat: "34 (sh) S 12"},
		"empty":                  {stat: ""},
		"no number":              {stat: "34 (sh)" + strings.Replace(rest, "12", "x", 1)},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := parseProcess(34, []byte(tc.stat))
			if got != tc.want || (err == nil) != (tc.want.pid != 0) {
				t.Errorf("got %+v, %v; want %+v", got, err, tc.want)
			}
		})
	}
}

// A zombie that nobody waits for is collected; a child that somebody waits for is left to them.
func TestReapTakesOrphansOnly(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); Reap(ctx) }()
	defer func() { cancel(); <-done }()

	out, err := exec.Command("sh", "-c", `sleep 0.1 >/dev/null & echo $!`).Output() // its shell ends first: the orphan comes here
	if err != nil {
		t.Fatal(err)
	}
	orphan, err := strconv.Atoi(strings.TrimSpace(string(out)))
	if err != nil {
		t.Fatal(err)
	}
	waited := exec.Command("sh", "-c", "sleep 1.5; exit 3")
	if err := waited.Start(); err != nil {
		t.Fatal(err)
	}
	if err := waited.Wait(); waited.ProcessState.ExitCode() != 3 {
		t.Errorf("its end was taken away: %v", err)
	}
	within(t, 10*time.Second, "the orphan is collected", func() bool {
		_, err := os.Stat("/proc/" + strconv.Itoa(orphan))
		return err != nil
	})
}

// Nobody's zombie is told from somebody's by a second look.
func TestReapLooksTwice(t *testing.T) {
	cmd := exec.Command("true")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	pid := cmd.Process.Pid
	within(t, 5*time.Second, "it is a zombie", func() bool { return !lives(pid) })
	suspects := reap(nil)
	if p, err := readProcess(pid); err != nil || !suspects[p] {
		t.Fatalf("after the first look: %v, suspects %v", err, suspects)
	}
	reap(suspects)
	if _, err := readProcess(pid); err == nil {
		t.Error("after the second look it is still there")
	}
	_ = cmd.Wait() // it was taken away
}
