//go:build linux

package harness

import (
	"errors"
	"io"
	"net"
	"sync"
	"time"
)

// line is one connection through a proxy: two TCP connections, and the bytes under way between them.
type line struct {
	proxy     *Proxy
	near, far *net.TCPConn
	number    int  // of the proxy's lines
	dead      bool // half open; guarded by the proxy's mutex
}

// chunk is what one read brought, at the end its error.
type chunk struct {
	bytes []byte
	came  time.Time
	err   error
}

const (
	// chunkSize is the longest chunk, in bytes.
	chunkSize = 16 << 10
	// chunksUnderWay bounds the chunks of one way that are held back; beyond it the sender blocks, as TCP's would.
	chunksUnderWay = 64
)

// carry returns once both ways have ended.
func (l *line) carry() {
	var ways sync.WaitGroup
	ways.Go(func() { l.oneWay(Requests, l.far, l.near) })
	ways.Go(func() { l.oneWay(Replies, l.near, l.far) })
	ways.Wait()
}

// oneWay carries the bytes of one way, and its end. It reads ahead of what it may pass on, so that an end of a
// connection that is held back is not lost, nor shown to the other side too early.
func (l *line) oneWay(way Way, to, from *net.TCPConn) {
	chunks := make(chan chunk, chunksUnderWay)
	stop := make(chan struct{})
	var reader sync.WaitGroup
	reader.Go(func() { read(from, chunks, stop) })
	defer reader.Wait()
	defer close(stop)
	for c := range chunks {
		if !l.proxy.pass(l, way, c.came) {
			l.reset()
			return
		}
		l.proxy.note(l, way, c)
		if _, err := to.Write(c.bytes); err != nil {
			l.reset()
			return
		}
		switch {
		case errors.Is(c.err, io.EOF):
			_ = to.CloseWrite() // the other way may go on
			return
		case c.err != nil:
			l.reset()
			return
		}
	}
}

// read passes on what comes, each read a chunk, until there is nothing more or stop is closed.
func read(from io.Reader, chunks chan<- chunk, stop <-chan struct{}) {
	defer close(chunks)
	for {
		b := make([]byte, chunkSize)
		n, err := from.Read(b)
		select {
		case chunks <- chunk{bytes: b[:n], came: time.Now(), err: err}:
		case <-stop:
			return
		}
		if err != nil {
			return
		}
	}
}

// reset closes both ends at once, unsent bytes and all. It may be called again.
func (l *line) reset() {
	for _, c := range []*net.TCPConn{l.near, l.far} {
		_ = c.SetLinger(0)
		_ = c.Close()
	}
}
