//go:build linux

package harness

import (
	"encoding/binary"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// Refuse breaks every standing connection and has the kernel refuse new ones from here on, as where no server runs. Refused
// counts them. It needs root.
func (p *Proxy) Refuse(t testing.TB) {
	t.Helper()
	p.refusals.count(t, p.listener.Addr().(*net.TCPAddr).Port)
	_ = p.listener.Close()
	p.Reset()
}

// Listen takes connections again, on the same port.
func (p *Proxy) Listen(t testing.TB) {
	t.Helper()
	l, err := net.ListenTCP("tcp", p.listener.Addr().(*net.TCPAddr))
	if err != nil {
		t.Fatalf("listen for the proxy again: %v", err)
	}
	p.refusals.stop()
	p.change(func() { p.listener = l })
	p.copies.Go(p.accept)
}

// Refused is how many connections were refused so far.
func (p *Proxy) Refused() int { return int(p.refusals.seen.Load()) }

// refusals counts the attempts to connect to a loopback port, by the packets that begin them: only its sender hears of one that
// the kernel refuses but its sender.
type refusals struct {
	seen  atomic.Int64
	ended chan struct{}
	once  sync.Once
	done  sync.WaitGroup
}

func (r *refusals) count(t testing.TB, port int) {
	t.Helper()
	lo, err := net.InterfaceByName("lo")
	if err != nil {
		t.Fatalf("find the loopback interface: %v", err)
	}
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, int(bigEndian(unix.ETH_P_IP)))
	if err != nil {
		t.Fatalf("open a packet socket: %v (it takes root)", err)
	}
	if err := beginnings(fd, lo.Index, port); err != nil {
		_ = unix.Close(fd)
		t.Fatal(err)
	}
	r.ended = make(chan struct{})
	r.done.Go(func() {
		defer func() { _ = unix.Close(fd) }()
		for b := make([]byte, 64); ; {
			select {
			case <-r.ended:
				return
			default:
			}
			_, from, err := unix.Recvfrom(fd, b, 0)
			if ll, ok := from.(*unix.SockaddrLinklayer); err == nil && ok && ll.Pkttype != unix.PACKET_OUTGOING {
				r.seen.Add(1) // each packet on loopback is seen twice: as it leaves and as it arrives
			}
		}
	})
	t.Cleanup(r.stop)
}

// stop ends the counting. It may be called again, and by a proxy that never refused.
func (r *refusals) stop() {
	r.once.Do(func() {
		if r.ended != nil {
			close(r.ended)
		}
	})
	r.done.Wait()
}

// beginnings limits a packet socket to TCP packets to port that have SYN and no ACK, on one interface.
func beginnings(fd, device, port int) error {
	load := func(size uint16, at uint32) unix.SockFilter {
		return unix.SockFilter{Code: unix.BPF_LD | size | unix.BPF_ABS, K: at}
	}
	equal := func(k uint32, other uint8) unix.SockFilter {
		return unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: k, Jf: other}
	}
	program := []unix.SockFilter{ // over the IP header, which has no options on loopback
		load(unix.BPF_B, 9), equal(unix.IPPROTO_TCP, 6),
		load(unix.BPF_H, 22), equal(uint32(port), 4),
		load(unix.BPF_B, 33),
		{Code: unix.BPF_ALU | unix.BPF_AND | unix.BPF_K, K: 0x12},
		equal(0x02, 1),
		{Code: unix.BPF_RET | unix.BPF_K, K: 64},
		{Code: unix.BPF_RET | unix.BPF_K, K: 0},
	}
	if err := unix.SetsockoptSockFprog(fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &unix.SockFprog{Len: uint16(len(program)), Filter: &program[0]}); err != nil {
		return fmt.Errorf("filter packets: %w", err)
	}
	timeout := unix.NsecToTimeval(int64(100 * time.Millisecond))
	if err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &timeout); err != nil {
		return fmt.Errorf("bound the wait for a packet: %w", err)
	}
	if err := unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: bigEndian(unix.ETH_P_IP), Ifindex: device}); err != nil {
		return fmt.Errorf("listen on loopback: %w", err)
	}
	return nil
}

// bigEndian is n in the order of the network.
func bigEndian(n uint16) uint16 {
	var b [2]byte
	binary.BigEndian.PutUint16(b[:], n)
	return binary.NativeEndian.Uint16(b[:])
}
