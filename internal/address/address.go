// Package address reads the addresses of the sidecar and of those who ask it: HOST:PORT, :PORT and unix:PATH.
//
// It promises that an address which it accepts needs no name server: a host is an IP address or localhost. It does not promise
// that the address is free, or that somebody answers there.
package address

import (
	"net"
	"net/netip"
	"strconv"
	"strings"

	"github.com/lease-sidecar/lease-sidecar/pkg/field"
)

const (
	unixPrefix = "unix:"
	// socketPathMax is the longest path of a unix socket that Linux takes, in bytes.
	socketPathMax = 107
)

// Address is a unix socket's path, or a host and a port.
type Address struct {
	// Path is that of a unix socket; "" for TCP.
	Path string
	// Host is an IP address, or "" for all of this machine; Port is a number.
	Host, Port string
}

// Parse reads an address without binding or asking anything. Its error is a [*field.Error] of the field "Address".
func Parse(s string) (Address, error) {
	if path, ok := strings.CutPrefix(s, unixPrefix); ok {
		if strings.HasPrefix(path, "@") || strings.HasPrefix(path, "\x00") {
			return Address{}, field.Quoted("Address", s, "unix:PATH with the path of a file: an abstract socket (@) has no permissions, and any process of the network namespace can reach it")
		}
		if path == "" || len(path) > socketPathMax {
			return Address{}, field.Quoted("Address", s, "unix:PATH with a path of 1 to %d bytes", socketPathMax)
		}
		return Address{Path: path}, nil
	}
	host, port, err := net.SplitHostPort(s)
	if err != nil {
		return Address{}, field.Quoted("Address", s, "HOST:PORT, :PORT or unix:PATH")
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil {
		return Address{}, field.Quoted("Address", s, "a port from 0 to 65535, not %q", port)
	} else if port = strconv.FormatUint(n, 10); host == "localhost" {
		host = "127.0.0.1"
	}
	if _, err := netip.ParseAddr(host); err != nil && host != "" {
		return Address{}, field.Quoted("Address", s, "an IP address or localhost, not %q", host)
	}
	return Address{Host: host, Port: port}, nil
}

// Loopback reports whether only this machine can reach the address.
func (a Address) Loopback() bool {
	if a.Path != "" {
		return true
	}
	ip, err := netip.ParseAddr(a.Host)
	return err == nil && ip.IsLoopback()
}
