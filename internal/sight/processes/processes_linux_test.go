package processes

import (
	"context"
	"log/slog"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/lease-sidecar/lease-sidecar/internal/sight"
	"github.com/lease-sidecar/lease-sidecar/internal/sight/sighttest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// insideEnv tells a test that it runs in a pid namespace of its own, as a sidecar does in a pod.
const insideEnv = "PROCESSES_INSIDE"

// inPod runs the test again in a new pid namespace, whose first process is a shell. It returns true inside.
func inPod(t *testing.T) bool {
	t.Helper()
	if os.Getenv(insideEnv) != "" {
		return true
	}
	again := exec.Command("unshare", "--pid", "--fork", "--kill-child", "--mount-proc", "sh", "-c",
		`"$0" -test.run="^$1\$" -test.v -test.timeout=60s; s=$?; exit $s`, "/proc/self/exe", t.Name())
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	again.Args[len(again.Args)-2] = exe
	again.Env = append(os.Environ(), insideEnv+"=1")
	out, err := again.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "--- PASS: "+t.Name()) {
		t.Fatalf("inside the pod: %v (it takes root)\n%s", err, out)
	}
	return false
}

// stranger starts a program that is no descendant of this process, and returns its pid.
func stranger(t *testing.T, command string) int {
	t.Helper()
	out, err := exec.Command("sh", "-c", command+` >/dev/null 2>&1 </dev/null & echo $!`).Output()
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(out)))
	if err != nil {
		t.Fatal(err)
	}
	return pid
}

func kill(t *testing.T, pid int) {
	t.Helper()
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
}

// The last of several processes ends; the sidecar's own never count, nor those that are named.
func TestTheLastProcessEnds(t *testing.T) {
	if !inPod(t) {
		return
	}
	own := exec.Command("sleep", "60")
	if err := own.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = own.Process.Kill(), own.Wait() })
	helper := stranger(t, "perl -e 'sleep 60'")
	waitForComm(t, helper, "perl")
	p := New(Config{Except: []string{"perl"}, Log: slog.New(slog.DiscardHandler)})
	if got := p.State(true); got != sight.Unknown {
		t.Fatalf("no process was ever there: got %s", got)
	}
	first, second := stranger(t, "sleep 60"), stranger(t, "setsid sleep 61")
	want(t, p, sight.Unknown, sight.Running)
	events := sighttest.NewEvents()
	ctx, cancel := context.WithCancel(t.Context())
	var watching sync.WaitGroup
	watching.Go(func() { p.Watch(ctx, events.Changed) })
	defer watching.Wait()
	defer cancel()
	kill(t, first)
	time.Sleep(50 * time.Millisecond)
	want(t, p, sight.Unknown, sight.Running)
	select {
	case <-events.Changes:
		t.Error("reported a change while one of two lives")
	default:
	}
	began := time.Now()
	kill(t, second)
	select {
	case <-events.Changes:
		t.Logf("seen %s after the kill", time.Since(began))
	case <-time.After(10 * time.Second):
		t.Fatal("the end was not reported")
	}
	want(t, p, sight.Stopped, sight.Stopped)
	third := stranger(t, "sleep 62")
	want(t, p, sight.Unknown, sight.Running)
	kill(t, third)
	kill(t, helper)
}

func want(t *testing.T, p *Processes, living, ending sight.State) {
	t.Helper()
	if a, b := p.State(false), p.State(true); a != living || b != ending {
		t.Errorf("got %s, and %s when the pod ends; want %s and %s", a, b, living, ending)
	}
}

func waitForComm(t *testing.T, pid int, comm string) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		if b, _ := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/comm"); string(b) == comm+"\n" {
			return
		}
	}
	t.Fatalf("process %d is not %s", pid, comm)
}

func TestParseNames(t *testing.T) {
	for s, want := range map[string]int{"": 0, "envoy": 1, "envoy, pilot-agent": 2, "a,,b": -1, "/bin/a": -1, ",": -1} {
		got, err := ParseNames(s)
		if want < 0 != (err != nil) || err == nil && len(got) != want {
			t.Errorf("%q: got %q, %v", s, got, err)
		}
	}
}
