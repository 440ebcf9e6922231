// Package logwriter keeps an unread log from blocking the program that writes it. [Value] makes its values readable.
//
// It promises that [Writer.Write] never waits and never fails, even if the pipe is full or closed, or the disk is full. It
// does not promise that every line is written: when too many wait, lines are lost, and a later line says how many.
//
//	slog ──Write──▶ queue (bounded) ──one goroutine──▶ standard error
package logwriter

import (
	"errors"
	"io"
	"sync"
	"syscall"
	"time"
)

const (
	// most bounds the waiting lines, in bytes.
	most = 256 << 10
	// firstTry and lastTry bound the pause between writes to a descriptor that another process made non-blocking (EAGAIN).
	firstTry, lastTry = 10 * time.Millisecond, time.Second
)

// Writer passes lines to another writer, in order, in its own goroutine. It is safe for concurrent use. Close it when done.
type Writer struct {
	to   io.Writer
	note func(lines int) []byte
	wake chan struct{} // buffered, one slot
	done chan struct{} // closed once everything is written or lost

	mu     sync.Mutex
	lines  [][]byte
	size   int // of lines, in bytes
	lost   int // lines not yet reported by a note
	closed bool
}

// New returns a Writer to the given one. note returns the line that reports a number of lost lines; nil: none is written.
func New(to io.Writer, note func(lines int) []byte) *Writer {
	w := &Writer{to: to, note: note, wake: make(chan struct{}, 1), done: make(chan struct{})}
	go w.run()
	return w
}

// Write takes one line, or loses it if too many wait. It returns at once, without an error.
func (w *Writer) Write(line []byte) (int, error) {
	w.mu.Lock()
	if w.closed || w.size+len(line) > most {
		w.lost++
	} else {
		w.lines = append(w.lines, append([]byte(nil), line...))
		w.size += len(line)
	}
	w.mu.Unlock()
	w.rouse()
	return len(line), nil
}

// rouse wakes the goroutine.
func (w *Writer) rouse() {
	select {
	case w.wake <- struct{}{}:
	default: // it is awake already
	}
}

// Close waits until all lines are written, at most the given time. Later lines are lost.
func (w *Writer) Close(wait time.Duration) {
	w.mu.Lock()
	w.closed = true
	w.mu.Unlock()
	w.rouse()
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-w.done:
	case <-timer.C: // the goroutine stays in a write that may never return
	}
}

func (w *Writer) run() {
	defer close(w.done)
	for {
		line, lost, closed := w.next()
		switch {
		case lost > 0 && w.note != nil && w.write(w.note(lost)):
			w.addLost(-lost)
		case lost > 0 && w.note != nil && line == nil && closed:
			return // nobody reads
		}
		if line != nil {
			if !w.write(line) {
				w.addLost(1)
			}
			continue
		}
		if closed {
			return
		}
		<-w.wake
	}
}

// next takes the oldest line, or nil. lost is the number of lines to report before it.
func (w *Writer) next() (line []byte, lost int, closed bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.lines) > 0 {
		line = w.lines[0]
		w.lines = w.lines[1:]
		w.size -= len(line)
	}
	return line, w.lost, w.closed
}

func (w *Writer) addLost(lines int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.lost += lines
}

// write writes the whole line, and reports success.
func (w *Writer) write(line []byte) bool {
	for pause := firstTry; ; pause = min(2*pause, lastTry) {
		n, err := w.to.Write(line)
		line = line[min(n, len(line)):]
		if err == nil || len(line) == 0 {
			return true
		}
		if !errors.Is(err, syscall.EAGAIN) {
			return false
		}
		if n > 0 {
			pause = firstTry
		}
		<-time.After(pause) // Close does not wait for this
	}
}
