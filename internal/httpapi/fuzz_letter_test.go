package httpapi

import (
	"bytes"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// patience is how long a client stays with a stream.
const patience = 50 * time.Millisecond

// letter is a connection of a client that sends bytes and hangs up, and keeps what it is answered.
type letter struct {
	sends *bytes.Reader
	gone  atomic.Bool

	mu       sync.Mutex
	answered bytes.Buffer
	once     sync.Once
	closed   chan struct{}
}

func (l *letter) Read(b []byte) (int, error) { return l.sends.Read(b) }

func (l *letter) Write(b []byte) (int, error) {
	if l.gone.Load() {
		return 0, net.ErrClosed
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.answered.Write(b)
}

func (l *letter) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

func (l *letter) LocalAddr() net.Addr              { return &net.TCPAddr{} }
func (l *letter) RemoteAddr() net.Addr             { return &net.TCPAddr{} }
func (l *letter) SetDeadline(time.Time) error      { return nil }
func (l *letter) SetReadDeadline(time.Time) error  { return nil }
func (l *letter) SetWriteDeadline(time.Time) error { return nil }

// postbox is a listener that letters are put into.
type postbox struct {
	letters chan net.Conn
	closed  chan struct{}
	once    sync.Once
}

func (p *postbox) Accept() (net.Conn, error) {
	select {
	case c := <-p.letters:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *postbox) Close() error   { p.once.Do(func() { close(p.closed) }); return nil }
func (p *postbox) Addr() net.Addr { return &net.TCPAddr{} }
