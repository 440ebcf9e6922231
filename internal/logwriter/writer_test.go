package logwriter

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func note(lines int) []byte { return fmt.Appendf(nil, "%d lost\n", lines) }

func pipe(t *testing.T) (read, write *os.File) {
	t.Helper()
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { read.Close(); write.Close() })
	return read, write
}

// A pipe that nobody reads takes 64 KiB. Writing goes on all the same; whoever reads later learns how many lines are missing.
func TestAFullPipeHoldsUpNobody(t *testing.T) {
	read, write := pipe(t)
	w := New(write, note)
	const lines = 10_000
	line := strings.Repeat("x", 99) + "\n"
	written := make(chan struct{})
	go func() {
		defer close(written)
		for range lines {
			if n, err := w.Write([]byte(line)); n != len(line) || err != nil {
				t.Errorf("Write: %d, %v", n, err)
			}
		}
	}()
	select {
	case <-written:
	case <-time.After(20 * time.Second):
		t.Fatal("writing waits for the reader")
	}
	w.Close(10 * time.Millisecond) // it does not wait for ever either
	whole, lost := 0, 0
	if err := read.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	for scanner := bufio.NewScanner(read); whole+lost < lines && scanner.Scan(); {
		if n := 0; strings.HasSuffix(scanner.Text(), " lost") {
			if _, err := fmt.Sscanf(scanner.Text(), "%d lost", &n); err != nil {
				t.Fatal(err)
			}
			lost += n
			continue
		}
		whole++
	}
	if whole+lost != lines || lost == 0 {
		t.Errorf("%d lines came, and %d were said to be lost; want %d in all, and some lost", whole, lost, lines)
	}
	<-w.done
}

// failing answers writes by script, once the gate is open, and keeps what it took.
type failing struct {
	gate  chan struct{}
	errs  []error
	taken strings.Builder
	calls atomic.Int32
}

func (f *failing) Write(b []byte) (int, error) {
	<-f.gate
	i := int(f.calls.Add(1)) - 1
	if i < len(f.errs) && f.errs[i] != nil {
		n := len(b) / 2
		if !errors.Is(f.errs[i], syscall.EAGAIN) {
			n = 0
		}
		f.taken.Write(b[:n])
		return n, f.errs[i]
	}
	f.taken.Write(b)
	return len(b), nil
}

func TestFailedWrites(t *testing.T) {
	for name, tc := range map[string]struct {
		errs []error
		want string
	}{
		"the reader has gone, and another comes": {[]error{syscall.EPIPE}, "1 lost\ntwo\n"},
		"a full disk":                            {[]error{syscall.ENOSPC, syscall.ENOSPC, syscall.ENOSPC}, "2 lost\n"},
		"a descriptor that would block":          {[]error{syscall.EAGAIN, syscall.EAGAIN}, "one\ntwo\n"},
		"nobody comes back":                      {[]error{syscall.EPIPE, syscall.EPIPE, syscall.EPIPE, syscall.EPIPE}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			f := &failing{errs: tc.errs, gate: make(chan struct{})}
			w := New(f, note)
			for _, line := range []string{"one\n", "two\n"} {
				fmt.Fprint(w, line)
			}
			w.Close(0)
			close(f.gate)
			<-w.done
			if got := f.taken.String(); got != tc.want {
				t.Errorf("got %q; want %q", got, tc.want)
			}
		})
	}
}
