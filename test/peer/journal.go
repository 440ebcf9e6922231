//go:build linux

package main

import (
	"fmt"
	"os"
	"sync"

	"golang.org/x/sys/unix"
)

// journal says when the work was asked to start and to stop, each once.
type journal struct {
	mu      sync.Mutex
	file    *os.File
	working bool
	over    bool
}

func openJournal(path string) (*journal, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the journal: %w", err)
	}
	return &journal{file: f}, nil
}

// started notes that the work begins, unless it has been asked to stop already.
func (j *journal) started() {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.over {
		return
	}
	j.working = true
	j.write("started")
}

// stopped notes that the work ends. It will not begin again.
func (j *journal) stopped() {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.working {
		j.write("stopped")
	}
	j.working, j.over = false, true
}

// write appends one line at once. A journal that cannot be written would make the tests blind: it panics.
func (j *journal) write(event string) {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &ts); err != nil {
		panic(fmt.Sprintf("read CLOCK_BOOTTIME: %v", err))
	}
	if _, err := fmt.Fprintf(j.file, "%d %s\n", ts.Nano(), event); err != nil {
		panic(fmt.Sprintf("write the journal: %v", err))
	}
}

func (j *journal) close() error {
	if err := j.file.Close(); err != nil {
		return fmt.Errorf("close the journal: %w", err)
	}
	return nil
}
