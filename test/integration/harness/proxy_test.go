//go:build linux

package harness

import (
	"bufio"
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"time"
)

// TestProxyCutsAndHeals talks to an echoing server through a line that is cut and healed: a cut line is silent but
// open, and what was said during the cut arrives in the end.
func TestProxyCutsAndHeals(t *testing.T) {
	echo, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = echo.Close() })
	go func() {
		for {
			c, err := echo.Accept()
			if err != nil {
				return
			}
			go func() {
				defer func() { _ = c.Close() }()
				_, _ = io.Copy(c, c)
			}()
		}
	}()
	_, port, _ := net.SplitHostPort(echo.Addr().String())
	p := (&Cluster{apiPort: port}).Proxy(t)

	c, err := net.Dial("tcp", p.listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	answers := bufio.NewReader(c)
	say := func(s string) {
		t.Helper()
		if _, err := io.WriteString(c, s+"\n"); err != nil {
			t.Fatal(err)
		}
	}
	hear := func(want string) {
		t.Helper()
		_ = c.SetReadDeadline(time.Now().Add(10 * time.Second))
		if got, err := answers.ReadString('\n'); err != nil || got != want+"\n" {
			t.Fatalf("heard %q, %v, want %q", got, err, want)
		}
	}
	say("one")
	hear("one")
	p.Cut()
	say("two")
	_ = c.SetReadDeadline(time.Now().Add(300 * time.Millisecond))
	if got, err := answers.ReadString('\n'); err == nil {
		t.Errorf("heard %q through a cut line", got)
	} else if !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("a cut line gives %v, want silence", err)
	}
	p.Heal()
	hear("two")
}
