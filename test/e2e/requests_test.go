//go:build linux

package e2e

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
)

// answer is what came of one request.
type answer struct {
	sent, came bootclock.Instant
	status     int    // 0: no answer
	pod, token string // who answered, and by which term; "-" for none
	at         bootclock.Instant
	failure    string // "refused", "timeout", or the error
}

// caller asks a URL again and again.
type caller struct {
	mu      sync.Mutex
	answers []answer
}

const (
	callTick  = 20 * time.Millisecond
	callBound = time.Second
)

// dialer opens a connection; nil for one from the node.
type dialer func(ctx context.Context, network, address string) (net.Conn, error)

// call asks a URL every 20 ms until the context ends: over a new connection each time, or over one that is kept as long as the server keeps it.
func call(ctx context.Context, done *sync.WaitGroup, url string, keep bool, from dialer) *caller {
	c := &caller{}
	client := &http.Client{Timeout: callBound, Transport: &http.Transport{DisableKeepAlives: !keep, DialContext: from}}
	done.Go(func() {
		var asks sync.WaitGroup
		defer asks.Wait()
		for tick := time.NewTicker(callTick); ; {
			select {
			case <-tick.C:
			case <-ctx.Done():
				tick.Stop()
				return
			}
			if keep { // one connection: one request at a time
				c.ask(client, url)
			} else {
				asks.Go(func() { c.ask(client, url) })
			}
		}
	})
	return c
}

func (c *caller) ask(client *http.Client, url string) {
	a := answer{sent: bootclock.System{}.Now()}
	got, err := client.Get(url)
	if err == nil {
		a.status = got.StatusCode
		_, err = fmt.Sscan(bodyOf(got), &a.pod, &a.at, &a.token)
	}
	a.came = bootclock.System{}.Now()
	var timeout net.Error
	switch {
	case err == nil:
	case errors.Is(err, syscall.ECONNREFUSED):
		a.failure = "refused"
	case errors.As(err, &timeout) && timeout.Timeout():
		a.failure = "timeout"
	case errors.Is(err, syscall.ECONNRESET):
		a.failure = "reset"
	default:
		a.failure = err.Error()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.answers = append(c.answers, a)
}

// since returns the requests that were sent after an instant, by when.
func (c *caller) since(from bootclock.Instant) []answer {
	c.mu.Lock()
	defer c.mu.Unlock()
	all := slices.DeleteFunc(slices.Clone(c.answers), func(a answer) bool { return a.sent.Before(from) })
	slices.SortFunc(all, func(a, b answer) int { return int(a.sent.Sub(b.sent)) })
	return all
}

// steady reports whether all requests of the last second were answered by one pod that led, other than those named, and returns it.
func (c *caller) steady(but ...string) (pod string, ok bool) {
	now := bootclock.System{}.Now()
	recent := c.since(now.Add(-time.Second))
	if len(recent) < 10 {
		return "", false
	}
	pod = recent[0].pod
	return pod, !slices.Contains(but, pod) && !slices.ContainsFunc(recent, func(a answer) bool { return a.failure != "" || a.token == "-" || a.pod != pod })
}

// bodyOf returns the body of an answer, and closes it.
func bodyOf(answer *http.Response) string {
	defer func() { _ = answer.Body.Close() }()
	text, err := io.ReadAll(io.LimitReader(answer.Body, 1<<20))
	if err != nil {
		return ""
	}
	return string(text)
}
