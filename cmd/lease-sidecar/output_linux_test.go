package main

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hashicorp/go-multierror"
)

// work is a command that reports that it runs, and works until SIGTERM.
const work = `exec 2>/dev/null; trap 'echo stopped >$DIR/end; exit 0' TERM; echo $$ >$DIR/pid; while :; do sleep 0.02; done`

// Whoever reads the log dies: the next line must not end the sidecar, nor the command.
func TestTheReaderOfTheLogDies(t *testing.T) {
	for name, after := range map[string][]string{"alone": nil, "with a command": {"--", "sh", "-c", work}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			read, write, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			r := launch(t, nil, write, "", append([]string{"--log-level", "debug"}, after...)...) // renewals are logged
			write.Close()
			drained := make(chan struct{})
			go func() { // until the test closes it
				defer close(drained)
				for b := make([]byte, 4096); err == nil; {
					_, err = read.Read(b)
				}
			}()
			token := r.leads()
			read.Close()
			<-drained
			r.leadsOn(token)
			r.send(syscall.SIGTERM)
			r.endsWell()
			if end, _ := os.ReadFile(filepath.Join(r.dir, "end")); after != nil && string(end) != "stopped\n" {
				t.Errorf("the command did not stop in its own time: %q", end)
			}
		})
	}
}

// A log that nobody reads is full in the end. The election, the signals and the end go on.
func TestAFullLogHoldsUpNothing(t *testing.T) {
	t.Parallel()
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer read.Close()
	defer write.Close()
	if err := write.SetWriteDeadline(time.Now().Add(100 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	for err = nil; err == nil; {
		_, err = write.Write(make([]byte, 4096))
	}
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatal(err)
	}
	conn, err := write.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	var set error
	err = conn.Control(func(fd uintptr) { set = syscall.SetNonblock(int(fd), false) }) // as a shell's pipe is
	if err != nil || set != nil {
		t.Fatal(err, set)
	}
	r := launch(t, nil, write, "", "--log-level", "debug")
	r.leadsOn(r.leads())
	r.send(syscall.SIGTERM)
	r.endsWell()
}

// In both formats a duration is a text in milliseconds, and an error of several lines stands in one.
func TestLogValues(t *testing.T) {
	several := multierror.Append(errors.New("one"), errors.Join(errors.New("two"), errors.New("three")))
	for format, want := range map[string][]string{
		"json": {`"waited":"1.235s"`, `"stop_timeout":"30s"`, `"error":"2 errors occurred: one; two; three"`, `"plain":"one"`},
		"text": {`waited=1.235s`, `stop_timeout=30s`, `error="2 errors occurred: one; two; three"`, `plain=one`},
	} {
		var out bytes.Buffer
		logChoice{format: format}.to(&out).Info("m", "waited", 1234567891*time.Nanosecond, "stop_timeout", 30*time.Second,
			"error", several, "plain", errors.New("one"))
		for _, text := range want {
			if !strings.Contains(out.String(), text) {
				t.Errorf("%s: no %s in %s", format, text, out.String())
			}
		}
	}
}
