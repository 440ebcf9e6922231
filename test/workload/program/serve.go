package main

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"strings"
	"time"

	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
	"github.com/lease-sidecar/lease-sidecar/pkg/leadership"
)

// checkedPath is what the program answers only while it leads, and asks for it each time. It answers all other paths in any case, as a program does
// that does not ask.
const checkedPath = "/checked"

// serveRequests answers HTTP requests until the process ends. Like the health endpoint it speaks just enough HTTP. The body is "POD INSTANT TOKEN": the
// instant is on the boot clock, at which the term with the token was valid; the token is "-" where none was.
func (o options) serveRequests() error {
	l, err := net.Listen("tcp", o.serve)
	if err != nil {
		return fmt.Errorf("serve requests: %w", err)
	}
	go func() { // ends with the process
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go o.serveOn(c)
		}
	}()
	return nil
}

// serveOn answers the requests of a connection, one after the other. Who asked for what is the leader's alone, and reached another one, has to open a
// new connection, which may lead to the leader.
func (o options) serveOn(c net.Conn) {
	defer func() { _ = c.Close() }()
	for r := bufio.NewReader(c); ; {
		_ = c.SetDeadline(time.Now().Add(time.Minute))
		first, err := r.ReadString('\n')
		for line := first; err == nil && strings.TrimSpace(line) != ""; {
			line, err = r.ReadString('\n')
		}
		if err != nil {
			return
		}
		body, leads := o.claim()
		status, connection := "200 OK", "keep-alive"
		if strings.HasPrefix(first, "GET "+checkedPath+" ") && !leads {
			status, connection = "503 Service Unavailable", "close"
		}
		if _, err := fmt.Fprintf(c, "HTTP/1.1 %s\r\nConnection: %s\r\nContent-Length: %d\r\n\r\n%s", status, connection, len(body), body); err != nil || connection == "close" {
			return
		}
	}
}

// claim is the body of an answer, and whether this replica leads.
func (o options) claim() (string, bool) {
	l, err := leadership.Read(o.signalDir)
	now := bootclock.System{}.Now() // after the reading: the document is judged at this instant
	token := "-"
	if leads := err == nil && l.At(now).IsLeader; leads {
		token = l.Token
	}
	return fmt.Sprintf("%s %d %s", os.Getenv("POD_NAME"), now, token), token != "-"
}
