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

// maxHeader bounds the headers of a request, in bytes; net/http adds some slack.
const maxHeader = 8 << 10

// timeouts bound what a slow client can hold.
type timeouts struct {
	header, read, write, idle time.Duration
	shutdown                  time.Duration // for the requests under way when the serving ends
}

func defaultTimeouts() timeouts {
	return timeouts{
		header: 2 * time.Second, read: 5 * time.Second, write: 10 * time.Second, idle: time.Minute,
		shutdown: 2 * time.Second,
	}
}

// Listener is one bound address: a TCP port, 127.0.0.1 and ::1 together, or a unix socket.
type Listener struct {
	sockets  []net.Listener
	loopback bool
	log      *slog.Logger
	timeouts timeouts
}

// Listen binds "HOST:PORT" (127.0.0.1 and localhost come with ::1, port 0 is any free one), ":PORT" or "unix:PATH".
// An error says what to do, where that is known.
func Listen(s string, log *slog.Logger) (*Listener, error) {
	a, err := address.Parse(s)
	if err != nil {
		return nil, err
	}
	sockets, err := bind(a)
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w%s", s, err, bindHint(a, err))
	}
	return &Listener{sockets: sockets, loopback: a.Loopback(), log: log, timeouts: defaultTimeouts()}, nil
}

// Addrs returns what was bound, "HOST:PORT" or "unix:PATH".
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

// Close frees the address without having served. [Listener.Serve] does it at its end.
func (l *Listener) Close() error {
	var faults []error
	for _, s := range l.sockets {
		faults = append(faults, s.Close())
	}
	return errors.Join(faults...)
}

// Serve answers with h until ctx ends, which ends event streams too. Requests that are under way then have two seconds.
// Serve returns nil, or an error where a socket fails.
func (l *Listener) Serve(ctx context.Context, h http.Handler) error {
	server := &http.Server{
		Handler:                      h,
		DisableGeneralOptionsHandler: true,
		ReadHeaderTimeout:            l.timeouts.header,
		ReadTimeout:                  l.timeouts.read,
		WriteTimeout:                 l.timeouts.write,
		IdleTimeout:                  l.timeouts.idle,
		MaxHeaderBytes:               maxHeader,
		ErrorLog:                     slog.NewLogLogger(l.log.Handler(), slog.LevelDebug),
	}
	group, serving := errgroup.WithContext(ctx)
	server.BaseContext = func(net.Listener) context.Context { return withLoopback(serving, l.loopback) }
	for _, s := range l.sockets {
		group.Go(func() error {
			if err := server.Serve(s); !errors.Is(err, http.ErrServerClosed) {
				return fmt.Errorf("serve HTTP on %s: %w", s.Addr(), err)
			}
			return nil
		})
	}
	group.Go(func() error {
		<-serving.Done()
		last, cancel := context.WithTimeout(context.WithoutCancel(ctx), l.timeouts.shutdown)
		defer cancel()
		if err := server.Shutdown(last); err != nil {
			return server.Close() // it cuts off requests that stall
		}
		return nil
	})
	return group.Wait()
}
