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
	network, address := networkOf(o.health)
	if network == "unix" {
		_ = os.Remove(address) // of the process before
	}
	var l net.Listener
	var err error
	for deadline := time.Now().Add(healthBound); ; time.Sleep(5 * time.Millisecond) {
		l, err = net.Listen(network, address)
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

// networkOf divides an address for net.Dial: "unix:PATH", else HOST:PORT.
func networkOf(address string) (network, rest string) {
	if path, ok := strings.CutPrefix(address, "unix:"); ok {
		return "unix", path
	}
	return "tcp", address
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
