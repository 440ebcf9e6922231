//go:build linux

package harness

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"math/rand/v2"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"
)

const (
	// askAgain is the mean pause of a client of a crowd between two questions on its connection.
	askAgain = 4 * time.Second
	// drip is the pause between two bytes of a slow client, and before one that was cut off comes again.
	drip = 500 * time.Millisecond
)

// smallCrowd is how many clients a crowd has at most beside other tests. A larger one slows them down: all of their proxies and
// witnesses are in the same process.
const smallCrowd = 500

// Crowd is many HTTP clients at once, each with a connection of its own, in the test process.
type Crowd struct {
	t       testing.TB
	ctx     context.Context //nolint:containedctx // the crowd's own lifetime, ended by Leave; not a caller's
	leave   context.CancelFunc
	clients sync.WaitGroup
	room    int // how many more clients it may have

	mu      sync.Mutex
	present int
	answers map[int]int
	cut     int
}

// NewCrowd returns a crowd of nobody, for up to 500 clients. It leaves with the test, or with Leave.
func NewCrowd(t testing.TB) *Crowd { return newCrowd(t, smallCrowd) }

// NewLargeCrowd is NewCrowd without that limit. Its test must run alone: it panics in a parallel one.
func NewLargeCrowd(t testing.TB) *Crowd {
	t.Setenv("LEASE_SIDECAR_TEST_ALONE", "yes") // refused in a parallel test, as t.Parallel is from here on
	return newCrowd(t, math.MaxInt)
}

func newCrowd(t testing.TB, room int) *Crowd {
	c := &Crowd{t: t, room: room, answers: map[int]int{}}
	c.ctx, c.leave = context.WithCancel(context.Background())
	t.Cleanup(c.Leave)
	return c
}

// Leave ends all clients, and returns when they have gone.
func (c *Crowd) Leave() {
	c.leave()
	c.clients.Wait()
}

// Ask adds n clients that ask address ("HOST:PORT") for a path, again and again on one connection. A stream is read for
// as long as it goes on. One that is cut off comes again.
func (c *Crowd) Ask(n int, address, path string) {
	c.add(n, address, func(conn net.Conn) error { return c.ask(conn, path) })
}

// Drip adds n clients that send head to address and then rest for ever, a byte at a time, and read nothing. One that is
// cut off comes again.
func (c *Crowd) Drip(n int, address, head, rest string) {
	c.add(n, address, func(conn net.Conn) error { return c.drip(conn, head, rest) })
}

// Hold adds n clients that connect from a loopback address (such as 127.0.0.2) to address, and say nothing. One that is cut off comes
// again.
func (c *Crowd) Hold(n int, from, address string) {
	c.addFrom(n, &net.TCPAddr{IP: net.ParseIP(from)}, address, func(conn net.Conn) error {
		_, err := io.Copy(io.Discard, conn)
		return errors.Join(err, io.EOF) // nobody but the server ends it
	})
}

func (c *Crowd) add(n int, address string, client func(net.Conn) error) {
	c.addFrom(n, nil, address, client)
}

func (c *Crowd) addFrom(n int, from *net.TCPAddr, address string, client func(net.Conn) error) {
	c.t.Helper()
	if c.room -= n; c.room < 0 {
		c.t.Fatalf("a crowd beside other tests has at most %d clients: NewLargeCrowd has more", smallCrowd)
	}
	var dialer net.Dialer
	if from != nil {
		dialer.LocalAddr = from
	}
	for range n {
		c.clients.Go(func() {
			for c.ctx.Err() == nil {
				c.come(&dialer, address, client)
				c.pause(drip)
			}
		})
	}
}

// come connects, and stays until the client has had enough, is cut off, or the crowd leaves.
func (c *Crowd) come(dialer *net.Dialer, address string, client func(net.Conn) error) {
	conn, err := dialer.DialContext(c.ctx, "tcp", address)
	if err != nil {
		return // refused, or the crowd leaves
	}
	stop := context.AfterFunc(c.ctx, func() { _ = conn.Close() })
	defer func() {
		if stop() {
			_ = conn.Close()
		}
	}()
	c.count(func() { c.present++ })
	defer c.count(func() { c.present-- })
	if err := client(conn); err != nil && c.ctx.Err() == nil {
		c.count(func() { c.cut++ })
	}
}

func (c *Crowd) ask(conn net.Conn, path string) error {
	answers := bufio.NewReader(conn)
	for c.ctx.Err() == nil {
		if _, err := fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n", path); err != nil {
			return err
		}
		res, err := http.ReadResponse(answers, nil)
		if err != nil {
			return err
		}
		c.count(func() { c.answers[res.StatusCode]++ })
		_, err = io.Copy(io.Discard, res.Body)
		_ = res.Body.Close()
		if err != nil || res.Close {
			return err
		}
		c.pause(askAgain/2 + rand.N(askAgain)) // not all at once, again and again
	}
	return nil
}

func (c *Crowd) drip(conn net.Conn, head, rest string) error {
	if _, err := io.WriteString(conn, head); err != nil {
		return err
	}
	for i := 0; c.ctx.Err() == nil; i++ {
		if _, err := conn.Write([]byte{rest[i%len(rest)]}); err != nil {
			return err
		}
		c.pause(drip)
	}
	return nil
}

func (c *Crowd) pause(d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-c.ctx.Done():
	}
}

func (c *Crowd) count(what func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	what()
}

// Present is how many are connected now.
func (c *Crowd) Present() (n int) {
	c.count(func() { n = c.present })
	return n
}

// Cut is how often a client was cut off.
func (c *Crowd) Cut() (n int) {
	c.count(func() { n = c.cut })
	return n
}

// Answers returns how many answers there were, by status.
func (c *Crowd) Answers() (answers map[int]int) {
	c.count(func() { answers = maps.Clone(c.answers) })
	return answers
}
