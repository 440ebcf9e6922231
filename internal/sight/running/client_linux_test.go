package running

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/lease-sidecar/lease-sidecar/internal/sight"
	"github.com/lease-sidecar/lease-sidecar/internal/sight/sighttest"
)

// clientEnv makes this test binary a client that holds GET /running open. Its value says how, as below; then the network and the
// address, after spaces.
const clientEnv = "RUNNING_CLIENT"

// How a client goes on. All but the first close their sending side, as `nc -N` does, and live on.
const (
	whole   = "whole"
	reads   = "reads"
	ignores = "ignores" // it reads nothing more
	early   = "early"   // it closes with the request
)

// closeWriter is a TCP or unix connection.
type closeWriter interface{ CloseWrite() error }

func beClient(how, network, address string) {
	fail := func(err error) {
		if err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
	}
	conn, err := net.Dial(network, address)
	fail(err)
	header := ""
	if how == early {
		header = "Early: yes\r\n"
	}
	_, err = io.WriteString(conn, "GET /running HTTP/1.1\r\nHost: localhost\r\n"+header+"\r\n")
	fail(err)
	end := conn.(closeWriter).CloseWrite
	if how == early {
		fail(end())
	}
	answer := bufio.NewReader(conn)
	for line := ""; line != "running\n"; {
		line, err = answer.ReadString('\n')
		fail(err)
	}
	if how == reads || how == ignores {
		fail(end())
	}
	fmt.Println("held")
	if how != ignores {
		_, err = io.Copy(io.Discard, answer)
		fmt.Println("the answer ended:", err)
	}
	select {}
}

// A process that holds the answer is killed: it is seen at once, and as a crash where this replica leads. A client that has nothing
// more to send still runs, until its process ends.
func TestEndOfAProcess(t *testing.T) {
	for _, network := range []string{"tcp", "unix"} {
		for _, how := range []string{whole, reads, ignores, early} {
			t.Run(network+"/"+how, func(t *testing.T) {
				address := "127.0.0.1:0"
				if network == "unix" {
					address = "unix:" + filepath.Join(t.TempDir(), "s")
				}
				s := serveAt(t, address, time.Hour)
				if got := s.State(true); got != sight.Unknown {
					t.Fatalf("never asked: got %s", got)
				}
				s.Observe(sighttest.Leads())
				client := exec.Command("/proc/self/exe")
				client.Env = append(os.Environ(), clientEnv+"="+how+" "+network+" "+strings.TrimPrefix(s.address, "unix:"))
				out, err := client.StdoutPipe()
				if err != nil {
					t.Fatal(err)
				}
				if err := client.Start(); err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() {
					_ = client.Process.Kill()
					_ = client.Wait()
				})
				if line, err := bufio.NewReader(out).ReadString('\n'); line != "held\n" {
					t.Fatalf("the client says %q, %v", line, err)
				}
				for until := time.Now().Add(300 * time.Millisecond); time.Now().Before(until); time.Sleep(5 * time.Millisecond) {
					if got := s.State(true); got != sight.Running {
						t.Fatalf("the client lives: got %s", got)
					}
				}
				began := time.Now()
				_ = client.Process.Kill()
				s.wants(sight.Stopped, false)
				took := time.Since(began)
				t.Logf("seen %s after the kill", took)
				if took > 2*time.Second {
					t.Errorf("seen %s after the kill: want about %s", took, askHalfClosed)
				}
				s.WantsCrash(t)
			})
		}
	}
}

// A client that reads nothing does not end by that, once its socket is full.
func TestHalfClosedAndFull(t *testing.T) {
	ours, theirs, err := pair(t)
	if err != nil {
		t.Fatal(err)
	}
	_ = ours.SetWriteDeadline(time.Now().Add(100 * time.Millisecond))
	for err == nil {
		_, err = ours.Write(make([]byte, 1<<16))
	}
	_ = theirs.CloseWrite()
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		awaitGone(ours)
	}()
	select {
	case <-gone:
		t.Error("a full socket of a client that lives counts as its end")
	case <-time.After(5 * askHalfClosed):
	}
	_ = theirs.Close()
	select {
	case <-gone:
	case <-time.After(5 * time.Second):
		t.Error("its end is not seen")
	}
}

// pair returns the two ends of a TCP connection.
func pair(t *testing.T) (ours, theirs *net.TCPConn, err error) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, nil, err
	}
	defer listener.Close()
	dialed, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		return nil, nil, err
	}
	accepted, err := listener.Accept()
	if err != nil {
		return nil, nil, err
	}
	t.Cleanup(func() {
		_ = dialed.Close()
		_ = accepted.Close()
	})
	return accepted.(*net.TCPConn), dialed.(*net.TCPConn), nil
}
