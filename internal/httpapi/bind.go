package httpapi

import (
	"errors"
	"net"

	"github.com/lease-sidecar/lease-sidecar/internal/address"
)

// bind opens the sockets of the address. 127.0.0.1 comes with ::1 on the same port, as programs that look for
// "localhost" may try either, and must not meet a stranger there.
func bind(a address.Address) ([]net.Listener, error) {
	if a.Path != "" {
		return one(listenUnix(a.Path))
	}
	if a.Host != "127.0.0.1" {
		return one(net.Listen("tcp", net.JoinHostPort(a.Host, a.Port)))
	}
	// A free port of one family may be taken in the other: then another free one is tried.
	const attempts = 10
	for attempt := 1; ; attempt++ {
		both, err := bindLoopback(a.Port)
		if err == nil || a.Port != "0" || attempt == attempts {
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
