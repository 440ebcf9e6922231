package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
	"github.com/lease-sidecar/lease-sidecar/pkg/leadership"
)

// How the program asks whether it leads, and how it shows that it works.
const (
	byFile    = "file"    // it reads the signal directory
	byHTTP    = "http"    // it asks GET /leader
	runLock   = "lock"    // it holds the run lock of the signal directory
	runStream = "running" // it holds the answer of GET /running open
)

// askBound is how long the sidecar may take to answer.
const askBound = time.Second

// leads asks whether this replica leads now. All that is not a plain yes is a no.
func (o options) leads() bool {
	if o.follow == byFile {
		l, err := leadership.Read(o.signalDir)
		return err == nil && l.IsLeader
	}
	conn, answer, err := o.ask("GET /leader")
	if err != nil {
		return false
	}
	defer func() { _ = conn.Close() }()
	rest, err := io.ReadAll(conn)
	if err != nil {
		return false
	}
	_, body, _ := strings.Cut(answer+string(rest), "\r\n\r\n")
	boot, err := bootclock.ID()
	var l leadership.Leadership
	if err != nil || json.Unmarshal([]byte(body), &l) != nil || l.BootID != boot {
		return false
	}
	return l.At(bootclock.System{}.Now()).IsLeader
}

// show shows that the work goes on, until what it returns is closed.
func (o options) show() (io.Closer, error) {
	switch o.shows {
	case runLock:
		lock, err := os.Open(filepath.Join(o.signalDir, "run.lock"))
		if err != nil {
			return nil, err
		}
		return lock, syscall.Flock(int(lock.Fd()), syscall.LOCK_SH)
	case runStream:
		conn, answer, err := o.ask("GET /running")
		if err != nil {
			return nil, err
		}
		_ = conn.SetDeadline(time.Time{})
		if !strings.HasPrefix(answer, "HTTP/1.1 200") {
			return conn, fmt.Errorf("GET /running: %q", answer)
		}
		return conn, nil
	}
	return io.NopCloser(nil), nil
}

// drained reports to the sidecar that the work has stopped. The sidecar may not have begun to wait yet, hence the repeats.
func (o options) drained() {
	for range 20 {
		conn, answer, err := o.ask("POST /drained")
		if err == nil {
			_ = conn.Close()
			if strings.HasPrefix(answer, "HTTP/1.1 202") {
				return
			}
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// ask sends a request to the sidecar, and returns the connection and the first part of the answer.
func (o options) ask(request string) (net.Conn, string, error) {
	network, address := networkOf(o.sidecar)
	c, err := net.DialTimeout(network, address, askBound)
	if err != nil {
		return nil, "", err
	}
	_ = c.SetDeadline(time.Now().Add(askBound))
	_, err = c.Write([]byte(request + " HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"))
	answer := make([]byte, 4096)
	n := 0
	if err == nil {
		n, err = c.Read(answer)
	}
	if err != nil {
		_ = c.Close()
		return nil, "", err
	}
	return c, string(answer[:n]), nil
}
