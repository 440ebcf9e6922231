package httpapi

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/lease-sidecar/lease-sidecar/internal/address"
)

// maxHeader bounds a request's headers in bytes; net/http adds some slack.
const maxHeader = 8 << 10

// Listener is one bound address: a TCP port, 127.0.0.1 and ::1 together, or a unix socket.
type Listener struct {
	sockets  []net.Listener
	loopback bool
	server   *http.Server
	shutdown time.Duration // how long requests in progress may take at the end
	conns    *connections
}

// newListener returns a listener that limits what slow clients can occupy, and has at most that many connections.
func newListener(h http.Handler, log *slog.Logger, loopback bool, most int, sockets ...net.Listener) *Listener {
	l := &Listener{sockets: sockets, loopback: loopback, shutdown: 2 * time.Second, conns: newConnections(most, log), server: &http.Server{
		Handler:                      h,
		DisableGeneralOptionsHandler: true,
		ReadHeaderTimeout:            2 * time.Second,
		ReadTimeout:                  5 * time.Second,
		WriteTimeout:                 10 * time.Second,
		IdleTimeout:                  time.Minute,
		MaxHeaderBytes:               maxHeader,
		ErrorLog:                     slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}}
	l.conns.watch(l.server)
	return l
}

// Listen binds "HOST:PORT" (127.0.0.1 and localhost include ::1; port 0 is any free one), ":PORT" or "unix:PATH". At most that many
// connections are open at once: one more takes the place of one without a request. An error says how to fix it, if that is known.
func Listen(s string, h http.Handler, log *slog.Logger, most int) (*Listener, error) {
	a, err := address.Parse(s)
	if err != nil {
		return nil, err
	}
	sockets, err := bind(a)
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w%s", s, err, bindHint(a, err))
	}
	return newListener(h, log, a.Loopback(), most, sockets...), nil
}

// Addrs returns the bound addresses, "HOST:PORT" or "unix:PATH".
func (l *Listener) Addrs() []string {
	var addrs []string
	for _, s := range l.sockets {
		if s.Addr().Network() == "unix" {
			addrs = append(addrs, "unix:"+s.Addr().String())
			continue
		}
		addrs = append(addrs, s.Addr().String())
	}
	return addrs
}

// Close frees the address if [Listener.Serve], which does so at its end, was not called.
func (l *Listener) Close() error {
	var faults []error
	for _, s := range l.sockets {
		faults = append(faults, s.Close())
	}
	return errors.Join(faults...)
}

// Serve serves until ctx ends, which also ends event streams. Requests in progress then have 2 s. It returns nil, or an
// error if a socket fails. Call it once.
func (l *Listener) Serve(ctx context.Context) error {
	group, serving := errgroup.WithContext(ctx)
	l.server.Handler = l.conns.serving(l.server.Handler)
	l.server.BaseContext = func(net.Listener) context.Context { return withLoopback(serving, l.loopback) }
	for _, s := range l.sockets {
		group.Go(func() error {
			if err := l.server.Serve(s); !errors.Is(err, http.ErrServerClosed) {
				return fmt.Errorf("serve HTTP on %s: %w", s.Addr(), err)
			}
			return nil
		})
	}
	group.Go(func() error {
		<-serving.Done()
		last, cancel := context.WithTimeout(context.WithoutCancel(ctx), l.shutdown)
		defer cancel()
		if err := l.server.Shutdown(last); err != nil {
			return l.server.Close() // it cuts off stalled requests
		}
		return nil
	})
	return group.Wait()
}
