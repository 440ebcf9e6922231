package control

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
)

const (
	unixPrefix = "unix:"
	// socketPathMax is the longest path of a unix socket that Linux takes, in bytes.
	socketPathMax = 107
)

// address is a parsed --http-address or --probe-address: a path, or a host and a port.
type address struct {
	path       string // of a unix socket
	host, port string
}

// CheckAddress reports whether [Listen] understands the address, without binding it.
func CheckAddress(s string) error {
	_, err := parseAddress(s)
	return err
}

func parseAddress(s string) (address, error) {
	if path, ok := strings.CutPrefix(s, unixPrefix); ok {
		if abstract(path) {
			return address{}, fmt.Errorf("parse address %q: want unix:PATH with the path of a file: an abstract socket (@) has no permissions, "+
				"and any process of the network namespace can reach it", s)
		}
		if path == "" || len(path) > socketPathMax {
			return address{}, fmt.Errorf("parse address %q: want unix:PATH with a path of 1 to %d bytes", s, socketPathMax)
		}
		return address{path: path}, nil
	}
	host, port, err := net.SplitHostPort(s)
	if err != nil {
		return address{}, fmt.Errorf("parse address %q: want HOST:PORT, :PORT or unix:PATH", s)
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil {
		return address{}, fmt.Errorf("parse address %q: want a port from 0 to 65535, not %q", s, port)
	} else if port = strconv.FormatUint(n, 10); host == "localhost" {
		host = "127.0.0.1"
	}
	if _, err := netip.ParseAddr(host); err != nil && host != "" {
		return address{}, fmt.Errorf("parse address %q: want an IP address or localhost, not %q", s, host)
	}
	return address{host: host, port: port}, nil
}

// loopback reports whether only this machine can reach the address.
func (a address) loopback() bool {
	if a.path != "" {
		return true
	}
	ip, err := netip.ParseAddr(a.host)
	return err == nil && ip.IsLoopback()
}

// bind opens the sockets of the address. 127.0.0.1 comes with ::1 on the same port, as programs that look for
// "localhost" may try either, and must not meet a stranger there.
func (a address) bind() ([]net.Listener, error) {
	if a.path != "" {
		return one(listenUnix(a.path))
	}
	if a.host != "127.0.0.1" {
		return one(net.Listen("tcp", net.JoinHostPort(a.host, a.port)))
	}
	// A free port of one family may be taken in the other: then another free one is tried.
	const attempts = 10
	for attempt := 1; ; attempt++ {
		both, err := bindLoopback(a.port)
		if err == nil || a.port != "0" || attempt == attempts {
			return both, err
		}
	}
}

func bindLoopback(port string) ([]net.Listener, error) {
	four, err := net.Listen("tcp4", net.JoinHostPort("127.0.0.1", port))
	if err != nil {
		return nil, err
	}
	_, port, err = net.SplitHostPort(four.Addr().String())
	if err != nil {
		return nil, errors.Join(err, four.Close())
	}
	six, err := net.Listen("tcp6", net.JoinHostPort("::1", port))
	switch {
	case err == nil:
		return []net.Listener{four, six}, nil
	case noIPv6(err):
		return []net.Listener{four}, nil
	}
	return nil, errors.Join(err, four.Close())
}

func one(l net.Listener, err error) ([]net.Listener, error) {
	if err != nil {
		return nil, err
	}
	return []net.Listener{l}, nil
}
