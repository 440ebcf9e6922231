//go:build linux

package bench

import (
	"bytes"
	"encoding/binary"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/lease-sidecar/lease-sidecar/pkg/elector"
	"github.com/lease-sidecar/lease-sidecar/pkg/leadership"
	"github.com/lease-sidecar/lease-sidecar/test/harness"
)

// signalFigures are what is measured of each kind of sidecar, by the names of the figures: see [splitSignals].
var signalFigures = map[signalKind][]string{
	onlyFiles:   {"file", "file/hold", "file/document", "file/leader", "http", "http/event"},
	withProcess: {"process", "process/signal"},
	withCommand: {"child", "child/start"},
	onDisk:      {"file/disk"},
}

// splitSignals returns how long each signal of a sidecar took since the answer to the take, and the parts of that: first the way to
// the hold file, which is written before any signal, and then the way of each signal from there.
func splitSignals(kind signalKind, answer time.Time, at map[string]time.Time) map[string]time.Duration {
	hold, file := at["hold"], at["file"]
	switch kind {
	case withProcess:
		return map[string]time.Duration{"process": at["process"].Sub(answer), "process/signal": at["process"].Sub(hold)}
	case withCommand:
		return map[string]time.Duration{"child": at["child"].Sub(answer), "child/start": at["child"].Sub(hold)}
	case onDisk:
		return map[string]time.Duration{"file/disk": file.Sub(answer)}
	case onlyFiles:
	}
	return map[string]time.Duration{
		"file": file.Sub(answer), "file/hold": hold.Sub(answer), "file/document": at["document"].Sub(hold), "file/leader": file.Sub(at["document"]),
		"http": at["http"].Sub(answer), "http/event": at["http"].Sub(hold),
	}
}

// takeAnswered returns when a take that led to a leader file at that instant was answered: by the reply, or by its event on the
// watch, as a candidate may lead by either. It returns the zero time where no take has passed.
func takeAnswered(passages []harness.Passage, file time.Time) time.Time {
	asked, events := exchanges(passages)
	for _, take := range slices.Backward(asked) {
		if take.asked.After(file) {
			continue
		}
		answered := take.answered
		for _, at := range events {
			if at.After(take.asked) && (answered.IsZero() || at.Before(answered)) {
				answered = at
			}
		}
		return answered
	}
	return time.Time{}
}

// directory notes when names in a directory change. A thread of its own waits for that, so that no scheduling of goroutines adds to
// what is measured.
type directory struct {
	fd      int
	changed chan struct{} // something is in seen; has room for one

	mu   sync.Mutex
	seen []change
}

// change is one event of inotify, and when it was read.
type change struct {
	name string
	mask uint32
	at   time.Time
}

func watchDirectory(t *testing.T, path string) *directory {
	t.Helper()
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err == nil {
		_, err = unix.InotifyAddWatch(fd, path, unix.IN_MOVED_TO|unix.IN_MODIFY)
	}
	if err != nil {
		t.Fatalf("watch %s: %v", path, err)
	}
	d := &directory{fd: fd, changed: make(chan struct{}, 1)}
	ended := make(chan struct{})
	var reading sync.WaitGroup
	reading.Go(func() { d.read(ended) })
	t.Cleanup(func() {
		close(ended)
		reading.Wait()
		_ = unix.Close(fd)
	})
	return d
}

func (d *directory) read(ended <-chan struct{}) {
	runtime.LockOSThread()
	_ = unix.Setpriority(unix.PRIO_PROCESS, unix.Gettid(), -20) // of this thread, where that is allowed: it only reads the clock
	for room := make([]byte, 64<<10); ; {
		select {
		case <-ended:
			return
		default:
		}
		if n, err := unix.Poll([]unix.PollFd{{Fd: int32(d.fd), Events: unix.POLLIN}}, 100); err != nil || n == 0 {
			continue
		}
		at := time.Now()
		n, err := unix.Read(d.fd, room)
		if err != nil {
			continue
		}
		d.note(room[:n], at)
	}
}

func (d *directory) note(events []byte, at time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for len(events) >= unix.SizeofInotifyEvent {
		mask, size := binary.NativeEndian.Uint32(events[4:]), int(binary.NativeEndian.Uint32(events[12:]))
		name := events[unix.SizeofInotifyEvent:][:size]
		d.seen = append(d.seen, change{string(bytes.TrimRight(name, "\x00")), mask, at})
		events = events[unix.SizeofInotifyEvent+size:]
	}
	select {
	case d.changed <- struct{}{}:
	default:
	}
}

// forget forgets what was seen.
func (d *directory) forget() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.seen = nil
}

// awaitLeader waits for the leader file. It returns when that was in place ("file"), and the document and the hold before it.
func (d *directory) awaitLeader(most time.Duration) (at map[string]time.Time, ok bool) {
	names := map[string]string{elector.HoldName: "hold", leadership.StateFile: "document", leadership.LeaderFile: "file"}
	late := time.After(most)
	for {
		at = map[string]time.Time{}
		d.mu.Lock()
		for _, c := range d.seen {
			name := names[filepath.Base(c.name)]
			if _, again := at[name]; name == "hold" && again {
				continue // its first write is the term's
			}
			at[name] = c.at
			if name == "file" {
				d.mu.Unlock()
				return at, true
			}
		}
		d.mu.Unlock()
		select {
		case <-d.changed:
		case <-late:
			return nil, false
		}
	}
}
