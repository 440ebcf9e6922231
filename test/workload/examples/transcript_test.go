//go:build linux

package examples

import (
	"bufio"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
)

// patience bounds every wait; a loaded machine starts a Java compiler in seconds.
const patience = 30 * time.Second

// transcript is what some workers wrote, line by line. They share one pipe, so its order is the order of the writing.
type transcript struct {
	input *os.File // for the workers

	mu    sync.Mutex
	lines []line
}

// line is one of a transcript, and when it was read: soon after it was written.
type line struct {
	text string
	at   bootclock.Instant
}

// newTranscript begins one, which ends with the test.
func newTranscript(t *testing.T) *transcript {
	t.Helper()
	output, input, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	s := &transcript{input: input}
	var reading sync.WaitGroup
	reading.Go(func() {
		for lines := bufio.NewScanner(output); lines.Scan(); {
			s.mu.Lock()
			s.lines = append(s.lines, line{lines.Text(), bootclock.System{}.Now()})
			s.mu.Unlock()
		}
	})
	t.Cleanup(func() { // the workers, which were started later, have ended before
		input.Close()
		reading.Wait()
		output.Close()
	})
	return s
}

// from returns the lines after the first so many.
func (s *transcript) from(count int) []line {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]line(nil), s.lines[count:]...)
}

func (s *transcript) line(index int) line { return s.from(index)[0] }

// len returns how many lines there are.
func (s *transcript) len() int { return len(s.from(0)) }

// await returns the index of the first line, after the first so many, that is so.
func (s *transcript) await(t *testing.T, within time.Duration, from int, what string, so func(string) bool) int {
	t.Helper()
	for deadline := time.Now().Add(within); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		for i, l := range s.from(from) {
			if so(l.text) {
				return from + i
			}
		}
	}
	t.Fatalf("not within %s: %s\n%s", within, what, s)
	return 0
}

func (s *transcript) String() string {
	var b strings.Builder
	for _, l := range s.from(0) {
		fmt.Fprintf(&b, "%s %s\n", l.at, l.text)
	}
	return b.String()
}
