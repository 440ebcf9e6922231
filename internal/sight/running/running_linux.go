// Package running sees whether the workload runs by an HTTP answer that it keeps open: GET /running. The connection ends
// with the process that has it, however that ends. It is for languages that cannot lock a file, such as Node.
//
// It promises to notice the end at once where client and sidecar share a kernel. It does not see that a process has
// handed its connection to another one, nor that a library has closed it early while the work goes on: that counts as a stop. The package is for Linux.
package running

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/lease-sidecar/lease-sidecar/internal/sight"
	"github.com/lease-sidecar/lease-sidecar/pkg/leadership"
)

const (
	// maxOpen is how many answers are open at once, at most.
	maxOpen = 16
	// heartbeat is how often an open answer gets a line, so that no client's idle timeout ends it: undici's is 300 s.
	heartbeat = time.Minute
	// askHalfClosed is how often a client that has closed its sending side is looked at, and written to.
	askHalfClosed = 25 * time.Millisecond
	// writeTimeout is how long a client may take over a line.
	writeTimeout = 5 * time.Second
)

// Running sees the workload by the answers that are open: it says Running while one is. Its methods may be called from several
// goroutines at once.
type Running struct {
	*sight.Presence
	heartbeat time.Duration

	mu   sync.Mutex
	open int
}

var _ sight.Sight = (*Running)(nil)

// New returns a sight of nobody.
func New(cfg sight.PresenceConfig) *Running {
	return &Running{heartbeat: heartbeat, Presence: sight.NewPresence(cfg,
		sight.Note{Text: "the workload holds GET /running open", Reason: "RunningHeld"},
		sight.Note{Text: "the last GET /running has ended", Reason: "RunningEnded"})}
}

// Name returns "running".
func (r *Running) Name() string { return "running" }

// Observe notes the newest leadership. Call it before any signal applies the leadership. It does not block.
func (r *Running) Observe(l leadership.Leadership) { r.Presence.Observe(l) }

// ServeHTTP answers with a line, and another one now and then, until the client's connection ends or the listener's
// serving does. Let only requests of this machine through: an open answer holds the lead.
func (r *Running) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	if !r.enter() {
		w.Header().Set("Retry-After", "5")
		refuse(w, http.StatusServiceUnavailable, fmt.Sprintf("%d answers are open already: one for each program is enough; close some", maxOpen))
		return
	}
	serving := servingOf(request)
	defer r.leave(serving)
	// net/http's own watch for the end of the client would end at a byte from the client, so hijack the connection.
	conn, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		refuse(w, http.StatusHTTPVersionNotSupported, "GET /running needs HTTP/1.1")
		return
	}
	defer conn.Close()
	ended := context.AfterFunc(serving, func() { _ = conn.Close() })
	defer ended()
	_, _ = buffered.WriteString("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nCache-Control: no-store\r\nConnection: close\r\n\r\n")
	if buffered.Flush() == nil {
		r.follow(conn)
	}
}

// servingOf returns the context that ends with the listener's serving. That of the request may end before, with the client's
// sending side.
func servingOf(request *http.Request) context.Context {
	if server, ok := request.Context().Value(http.ServerContextKey).(*http.Server); ok && server.BaseContext != nil {
		return server.BaseContext(nil)
	}
	return request.Context()
}

func refuse(w http.ResponseWriter, status int, why string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]string{"error": why}) // a client that has gone needs no answer
}

// follow returns once the connection has ended. What the client sends meanwhile is dropped.
func (r *Running) follow(conn net.Conn) {
	var dropped [512]byte
	for {
		if conn.SetWriteDeadline(time.Now().Add(writeTimeout)) != nil {
			return
		}
		if _, err := conn.Write([]byte("running\n")); err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
			return // a client that reads nothing lives: when it ends, the unread bytes reset the connection
		}
		next := time.Now().Add(r.heartbeat)
		for {
			if conn.SetReadDeadline(next) != nil {
				return
			}
			if _, err := conn.Read(dropped[:]); errors.Is(err, os.ErrDeadlineExceeded) {
				break
			} else if errors.Is(err, io.EOF) {
				awaitGone(conn) // the client may have closed its sending side alone, and work
				return
			} else if err != nil {
				return
			}
		}
	}
}

// enter notes one more; false where there are too many.
func (r *Running) enter() bool {
	r.mu.Lock()
	notify := func() {}
	free := r.open < maxOpen
	if free {
		r.open++
		notify = r.Set(true)
	}
	r.mu.Unlock()
	notify()
	return free
}

// leave notes that one has ended, or, as the sidecar's own serving has ended, that it is seen no more: the client may live then.
func (r *Running) leave(serving context.Context) {
	r.mu.Lock()
	notify := func() {}
	if r.open--; r.open == 0 {
		if serving.Err() != nil {
			r.Forget()
		} else {
			notify = r.Set(false)
		}
	}
	r.mu.Unlock()
	notify()
}

// awaitGone returns once the client of a connection whose sending side has ended is gone altogether, or conn is closed. A unix
// socket shows that by itself. Over TCP a client that has gone and one that is half-closed look alike, until something is
// written: the kernel of one that has gone resets the connection then.
func awaitGone(conn net.Conn) {
	socket, ok := conn.(syscall.Conn)
	if !ok {
		return
	}
	raw, err := socket.SyscallConn()
	if err != nil {
		return
	}
	for gone := false; !gone; {
		if err := raw.Control(func(fd uintptr) { gone = isGone(int(fd)) }); err != nil {
			return
		}
	}
}

// isGone writes an empty line and looks at the socket for a while. A line that finds no room is left out: the client lives
// then, or leaves what it has not read, which resets the connection too.
func isGone(fd int) bool {
	switch _, err := unix.Write(fd, []byte("\n")); {
	case err == nil, errors.Is(err, unix.EAGAIN), errors.Is(err, unix.EINTR):
	default:
		return true
	}
	// An end is reported though no event is asked for.
	seen := []unix.PollFd{{Fd: int32(fd)}}
	_, err := unix.Poll(seen, int(askHalfClosed.Milliseconds()))
	return err == nil && seen[0].Revents&(unix.POLLERR|unix.POLLHUP|unix.POLLNVAL) != 0
}
