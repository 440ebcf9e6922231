package process

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/lease-sidecar/lease-sidecar/internal/sight"
	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
	"github.com/lease-sidecar/lease-sidecar/pkg/leadership"
)

// refused returns the error of telling a target that it leads.
func refused(t *testing.T, cfg Config) string {
	t.Helper()
	r := newRig(t, cfg)
	err := r.apply(r.term("1", r.clock.Now().Add(time.Minute)))
	if err == nil {
		t.Fatalf("not refused\n%s", r.log)
	}
	return err.Error()
}

func wantText(t *testing.T, got string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(got, part) {
			t.Errorf("%q is missing in: %s", part, got)
		}
	}
}

// None is no failure, as the sidecar starts before the workload does, but a leader says so.
func TestNoneIsSaid(t *testing.T) {
	name := unique(t)
	r := newRig(t, Config{Target: Target{Name: name}, OnElected: usr1})
	r.lose()
	wantText(t, r.log.String(), "no process to signal yet", name)
	r.lead("1", time.Minute)
	wantText(t, r.log.String(), "leading, and there is no process to signal", "shareProcessNamespace: true")
	r.sees("nothing found", sight.Unknown, sight.Unknown)
	r.lose()
	r.sees("nothing found in the term", sight.Unknown, sight.Unknown)
}

func TestSeveralAreRefused(t *testing.T) {
	name := unique(t)
	a, b := python(t, name, catchesUsr), python(t, name, catchesUsr)
	cfg := Config{Target: Target{Name: name}, OnElected: usr1, OnLost: usr2}
	wantText(t, refused(t, cfg), "2 processes match", strconv.Itoa(a.pid()), strconv.Itoa(b.pid()), "pid file", name)
	cfg.Target.PIDFile = writePID(t, b.pid()) // the fix
	r := newRig(t, cfg)
	r.lead("1", time.Minute)
	b.says(t, "SIGUSR1")
	if len(a.lines) != 0 {
		t.Errorf("the other got %s", <-a.lines)
	}
}

func TestOurselvesAndOurParentsAreRefused(t *testing.T) {
	wantText(t, refused(t, Config{Target: Target{PIDFile: writePID(t, os.Getpid())}, OnElected: usr1}), "the sidecar itself")
	wantText(t, refused(t, Config{Target: Target{PIDFile: writePID(t, os.Getppid())}, OnElected: usr1}), "parent or an ancestor")
	wantText(t, refused(t, Config{Target: Target{PIDFile: writePID(t, 1)}, OnElected: usr1}), "ancestor")
}

func TestPauseIsRefused(t *testing.T) {
	// The pod's pause process in all that counts: a program of that name.
	pause := filepath.Join(t.TempDir(), "pause")
	copyTool(t, "/bin/sleep", pause)
	a := start(t, exec.Command(pause, "60"))
	r := newRig(t, Config{Target: Target{PIDFile: writePID(t, a.pid())}, OnLost: term})
	r.within(5*time.Second, "it has its name", func() bool { return state(t, a.pid()).Comm == "pause" })
	err := r.apply(leadership.Leadership{})
	if err == nil {
		t.Fatal("not refused")
	}
	wantText(t, err.Error(), "pause process", "name the workload's")
	if state(t, a.pid()).Over() {
		t.Error("it was killed all the same")
	}
}

func TestSignalsThatDoNotMeanTheirEndAreRefused(t *testing.T) {
	for name, tc := range map[string]struct {
		body              string
		onElected, onLost Signo
		fence             bool
		want              string // "": admitted
	}{
		"caught":                {body: catchesUsr, onElected: usr1, onLost: usr2},
		"uncaught news":         {onElected: usr1, want: "does not catch SIGUSR1 and would die of it"},
		"uncaught news of loss": {onLost: hup, want: "does not catch SIGHUP"},
		"uncaught and harmless": {onElected: 28, want: "does not catch SIGWINCH"},
		"ignored news":          {body: "signal.signal(signal.SIGHUP, signal.SIG_IGN)", onElected: hup, want: "ignores SIGHUP"},
		"uncaught end":          {onLost: term},
		"uncaught stop":         {onElected: cont, onLost: stop},
		"ignored end":           {body: "signal.signal(signal.SIGTERM, signal.SIG_IGN)", onLost: term, want: "ignores SIGTERM"},
		"ignored end, fenced":   {body: "signal.signal(signal.SIGTERM, signal.SIG_IGN)", onLost: term, fence: true},
		"taken by sigwait":      {body: "signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])", onElected: usr1},
		"blocked by one thread": {body: "import threading\nthreading.Thread(target=time.sleep, args=(60,), daemon=True).start()\nsignal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])", onElected: usr1, want: "does not catch"},
		"a number without name": {onElected: 40, want: "does not catch signal 40"},
		"no loss could follow":  {body: "on(signal.SIGUSR1)", onElected: usr1, onLost: usr2, want: "does not catch SIGUSR2"},
	} {
		t.Run(name, func(t *testing.T) {
			id := unique(t)
			a := python(t, id, tc.body)
			r := newRig(t, Config{Target: Target{Name: id}, OnElected: tc.onElected, OnLost: tc.onLost, Fence: tc.fence, KillMargin: time.Second})
			err := r.apply(r.term("1", r.clock.Now().Add(time.Minute)))
			switch {
			case tc.want == "" && err != nil:
				t.Errorf("refused: %v", err)
			case tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want)):
				t.Errorf("got %v; want %q", err, tc.want)
			case tc.want != "" && state(t, a.pid()).Over():
				t.Error("it died of it")
			case tc.want != "" && len(a.lines) != 0:
				t.Errorf("it got %s all the same", <-a.lines)
			}
		})
	}
}

// strangerEnv makes the test program signal a process, by its pid file, as another user.
const strangerEnv = "LEASE_SIDECAR_TEST_STRANGER"

func stranger(file string) int {
	p, err := New(Config{
		Target: Target{PIDFile: file}, OnLost: term,
		Clock: bootclock.System{}, Log: slog.New(slog.DiscardHandler),
	})
	if err == nil {
		err = p.Apply(context.Background(), leadership.Leadership{})
	}
	fmt.Println(err)
	return 0
}

func TestAnotherUsersProcessIsExplained(t *testing.T) {
	if os.Getuid() != 0 {
		t.Fatal("this test starts a process as another user: run it as root")
	}
	a := python(t, unique(t), "")
	dir, err := os.MkdirTemp("", "stranger")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	copyTool(t, "/proc/self/exe", filepath.Join(dir, "test"))
	file := filepath.Join(dir, "app.pid")
	if err := os.WriteFile(file, fmt.Append(nil, a.pid()), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(filepath.Join(dir, "test"))
	cmd.Dir, cmd.Env = "/", []string{strangerEnv + "=" + file}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	wantText(t, string(out), "operation not permitted", "of UID 0", "for UID 65534", "same UID", "runAsUser", strconv.Itoa(a.pid()))
	if state(t, a.pid()).Over() {
		t.Error("it was killed all the same")
	}
}

// The first process of a pid namespace is kept from what it does not catch, from KILL and STOP too.
func TestFirstProcessOfANamespace(t *testing.T) {
	first := process(1, 0, "init")
	for _, s := range []Signo{kill, stop} {
		if err := admit(first, s, heldView{}, false); err == nil || !strings.Contains(err.Error(), "under an init") {
			t.Errorf("%s: got %v; want a refusal", s, err)
		}
	}
}

func copyTool(t *testing.T, from, to string) {
	t.Helper()
	b, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(to, b, 0o755); err != nil {
		t.Fatal(err)
	}
}
