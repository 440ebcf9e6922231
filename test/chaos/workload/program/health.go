package main

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// sickFile makes the health endpoint answer 503 while it is in the folder.
const sickFile = "sick"

// healthBound is how long the endpoint's address may be taken by the process before.
const healthBound = 5 * time.Second

// serveHealth answers every connection as the file says, until the listener is closed. It speaks just enough HTTP: the
// program starts often, and net/http takes its time to start.
func (o options) serveHealth() (net.Listener, error) {
	var l net.Listener
	var err error
	for deadline := time.Now().Add(healthBound); ; time.Sleep(5 * time.Millisecond) {
		l, err = net.Listen("tcp", o.health)
		if err == nil || !errors.Is(err, syscall.EADDRINUSE) || time.Now().After(deadline) {
			break
		}
	}
	if err != nil {
		return nil, err
	}
	go func() { // ends with the process at the latest
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go o.answer(c)
		}
	}()
	return l, nil
}

func (o options) answer(c net.Conn) {
	defer func() { _ = c.Close() }()
	_ = c.SetDeadline(time.Now().Add(time.Second))
	if _, err := c.Read(make([]byte, 4096)); err != nil {
		return
	}
	status := "200 OK"
	if _, err := os.Stat(filepath.Join(o.folder, sickFile)); err == nil {
		status = "503 Service Unavailable"
	}
	_, _ = c.Write([]byte("HTTP/1.1 " + status + "\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"))
}

// drained tells the sidecar that the work has stopped. The sidecar may not have begun to wait yet, hence the repeats.
func (o options) drained() {
	for range 20 {
		if o.post("/drained") {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
}

func (o options) post(path string) bool {
	c, err := net.DialTimeout("tcp", o.sidecar, time.Second)
	if err != nil {
		return false
	}
	defer func() { _ = c.Close() }()
	_ = c.SetDeadline(time.Now().Add(time.Second))
	_, _ = c.Write([]byte("POST " + path + " HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"))
	answer := make([]byte, 64)
	n, _ := c.Read(answer)
	return strings.HasPrefix(string(answer[:n]), "HTTP/1.1 202")
}
