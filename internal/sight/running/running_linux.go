// Package running sees whether the workload runs by an HTTP answer that it keeps open: GET /running. The connection ends
// with its process, for whatever reason. It is for languages that cannot lock a file, such as Node.
//
// It promises to notice the end at once if client and sidecar share a kernel. It does not see that a process has passed its
// connection to another one. A connection that a library closes early counts as a stop. The package is for Linux.
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
	// maxOpen bounds the open answers.
	maxOpen = 16
	// heartbeat is how often an open answer gets a line, so that no client's idle timeout ends it (undici's is 300 s).
	heartbeat = time.Minute
	// askHalfClosed is how often a client that has closed its sending side is checked by a write.
	askHalfClosed = 25 * time.Millisecond
	// writeTimeout is how long a client may take over a line.
	writeTimeout = 5 * time.Second
)

// Running sees the workload by its open answers: it is Running while one is open. It is safe for concurrent use.
type Running struct {
	*sight.Presence
	heartbeat time.Duration

	mu   sync.Mutex
	open int
}

var _ sight.Sight = (*Running)(nil)

// New returns a sight without open answers.
func New(cfg sight.PresenceConfig) *Running {
	return &Running{heartbeat: heartbeat, Presence: sight.NewPresence(cfg,
		sight.Note{Text: "the workload holds GET /running open", Reason: "RunningHeld"},
		sight.Note{Text: "the last GET /running has ended", Reason: "RunningEnded"})}
}

// Name returns "running".
func (r *Running) Name() string { return "running" }

// Observe is [sight.Presence.Observe] without its result.
func (r *Running) Observe(l leadership.Leadership) { r.Presence.Observe(l) }

// ServeHTTP sends a line now and then until the client's connection or the listener's serving ends. Let only requests of
// this machine through: an open answer holds the lead.
func (r *Running) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	if !r.enter() {
		w.Header().Set("Retry-After", "5")
		refuse(w, http.StatusServiceUnavailable, fmt.Sprintf("%d answers are open already: one for each program is enough; close some", maxOpen))
		return
	}
	serving := servingOf(request)
	defer r.leave(serving)
	// Hijack the connection, since net/http stops watching for the client's end at a byte from the client.
	conn, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		refuse(w, http.StatusHTTPVersionNotSupported, "GET /running needs HTTP/1.1")
		return
	}
	defer conn.Close()
	ended := context.AfterFunc(serving, func() { _ = conn.Close() })
	defer ended()
	header := w.Header() // it holds what every answer has, such as the name of the pod
	header.Set("Content-Type", "text/plain")
	header.Set("Cache-Control", "no-store")
	header.Set("Connection", "close")
	_, _ = buffered.WriteString("HTTP/1.1 200 OK\r\n") // the flush fails with the connection
	_ = header.Write(buffered)
	_, _ = buffered.WriteString("\r\n")
	if buffered.Flush() == nil {
		r.follow(conn)
	}
}

// servingOf returns the context of the listener's serving. The request's own may end earlier, with the client's sending side.
func servingOf(request *http.Request) context.Context {
	if server, ok := request.Context().Value(http.ServerContextKey).(*http.Server); ok && server.BaseContext != nil {
		return server.BaseContext(nil)
	}
	return request.Context()
}

func refuse(w http.ResponseWriter, status int, why string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]string{"error": why}) // a client that is gone needs no answer
}

// follow returns once the connection has ended. It drops what the client sends.
func (r *Running) follow(conn net.Conn) {
	var dropped [512]byte
	for {
		if conn.SetWriteDeadline(time.Now().Add(writeTimeout)) != nil {
			return
		}
		if _, err := conn.Write([]byte("running\n")); err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
			return // a client that reads nothing is alive: at its end the unread bytes reset the connection
		}
		next := time.Now().Add(r.heartbeat)
		for {
			if conn.SetReadDeadline(next) != nil {
				return
			}
			if _, err := conn.Read(dropped[:]); errors.Is(err, os.ErrDeadlineExceeded) {
				break
			} else if errors.Is(err, io.EOF) {
				awaitGone(conn) // the client may have closed only its sending side
				return
			} else if err != nil {
				return
			}
		}
	}
}

// enter counts one more answer. It reports false if there are too many.
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

// leave counts one less. If the sidecar's own serving has ended, the client may be alive, so the state becomes unknown.
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

// awaitGone returns once a client that has closed its sending side is gone, or conn is closed. A unix socket shows this by
// itself. Over TCP a gone client looks like a half-closed one until a write, which its kernel answers with a reset.
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

// isGone writes an empty line and checks the socket for a while. If the line finds no room, it is left out: the client is
// alive, or its unread data resets the connection anyway.
func isGone(fd int) bool {
	switch _, err := unix.Write(fd, []byte("\n")); {
	case err == nil, errors.Is(err, unix.EAGAIN), errors.Is(err, unix.EINTR):
	default:
		return true
	}
	// The end is reported even if no event is requested.
	seen := []unix.PollFd{{Fd: int32(fd)}}
	_, err := unix.Poll(seen, int(askHalfClosed.Milliseconds()))
	return err == nil && seen[0].Revents&(unix.POLLERR|unix.POLLHUP|unix.POLLNVAL) != 0
}
