// Package logwriter keeps a log that nobody reads from stopping the program that writes it.
//
// It promises that [Writer.Write] never waits and never fails, whatever becomes of the reader: a full pipe, a closed one, a
// full disk. It does not promise that every line is read: lines are lost where too many wait, and a line says how
// many.
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
	// most bounds what waits for a slow reader, in bytes.
	most = 256 << 10
	// firstTry and lastTry are the pauses between attempts at a descriptor that would block (EAGAIN), as one is that
	// another process has made non-blocking.
	firstTry, lastTry = 10 * time.Millisecond, time.Second
)

// Writer hands lines to another writer, in order, from a goroutine of its own. Its methods may be called from several
// goroutines at once. Close it when done.
type Writer struct {
	to   io.Writer
	note func(lines int) []byte
	wake chan struct{} // has room for one
	done chan struct{} // closed: everything was written, or was lost

	mu     sync.Mutex
	lines  [][]byte
	size   int // of lines, in bytes
	lost   int // lines that no note has reported yet
	closed bool
}

// New returns a Writer to the given one. note returns the line that says how many lines were lost; nil: none is
// written.
func New(to io.Writer, note func(lines int) []byte) *Writer {
	w := &Writer{to: to, note: note, wake: make(chan struct{}, 1), done: make(chan struct{})}
	go w.run()
	return w
}

// Write takes one line, or loses it where too many wait. It returns at once, and no error.
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

// rouse has the goroutine look at what there is to do.
func (w *Writer) rouse() {
	select {
	case w.wake <- struct{}{}:
	default: // it will look anyway
	}
}

// Close waits until all lines are written, for at most the given time. What is written later is lost.
func (w *Writer) Close(wait time.Duration) {
	w.mu.Lock()
	w.closed = true
	w.mu.Unlock()
	w.rouse()
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-w.done:
	case <-timer.C: // the goroutine is left behind in a write that may never return
	}
}

// run writes lines until there are no more.
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

// next takes the oldest line, nil where none waits. lost is the number of lines to report before it.
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

// addLost adds to the lines that no note has reported yet.
func (w *Writer) addLost(lines int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.lost += lines
}

// write writes the whole line, and reports whether it could.
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
