//go:build linux

package harness

import (
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
	"sync"
	"testing"
)

// Ports are handed out below the kernel's ephemeral range, so that no outgoing connection can take one while its
// server is down for a restart.
const (
	firstPort = 20000
	lastPort  = 31999
)

// ports hands out each loopback port once in the life of the process: a port may be free when it is looked at and
// still be promised to a server that is about to start.
var ports = struct {
	sync.Mutex
	next  int
	given int
}{next: firstPort + rand.IntN(lastPort-firstPort)}

// freePorts returns n loopback TCP ports that nobody listens on.
func freePorts(n int) ([]string, error) {
	ports.Lock()
	defer ports.Unlock()
	var free []string
	for len(free) < n {
		if ports.given++; ports.given > lastPort-firstPort {
			return nil, fmt.Errorf("find a free loopback port between %d and %d: all have been tried", firstPort, lastPort)
		}
		if ports.next++; ports.next > lastPort {
			ports.next = firstPort
		}
		port := strconv.Itoa(ports.next)
		if l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", port)); err == nil {
			_ = l.Close()
			free = append(free, port)
		}
	}
	return free, nil
}

// FreeAddress returns a loopback address, "127.0.0.1:PORT", that nobody listens on and that is handed out once.
func FreeAddress(t testing.TB) string {
	t.Helper()
	free, err := freePorts(1)
	if err != nil {
		t.Fatal(err)
	}
	return net.JoinHostPort("127.0.0.1", free[0])
}
