package process

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/lease-sidecar/lease-sidecar/internal/procfs"
)

// FuzzProc gives a process, this one, a name of any bytes, and reads it back through /proc; and reads a pid file and a
// signal of any bytes. Whatever a process calls itself, what else /proc says of it reads the same; and nothing that a
// pid file holds leads to this process, its parents, or anything but a process that is there.
func FuzzProc(f *testing.F) {
	was, err := os.ReadFile("/proc/self/comm")
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { _ = os.WriteFile("/proc/self/comm", bytes.TrimSuffix(was, []byte("\n")), 0) })
	f.Add([]byte("a) Z 1 (b"), []byte("1\n"), "HUP")
	f.Add([]byte("x\nSigCgt:\tff"), []byte(strconv.Itoa(os.Getpid())), "64")
	f.Add([]byte(") "), []byte("+2\nmore"), "SIGSIGHUP")
	f.Add([]byte("("), []byte("  \n"), "33")
	f.Add([]byte("sh"), []byte("0"), "32")
	f.Add([]byte("\xff\x00y"), []byte(strings.Repeat("9", 70)), "-1")
	f.Add([]byte(""), []byte("2147483648"), "")
	all, err := procfs.Read()
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, comm, pidFile []byte, signal string) {
		checkComm(t, all[os.Getpid()], comm)
		checkPIDFile(t, all, pidFile)
		checkSignal(t, signal)
	})
}

// checkComm names this process, and compares what /proc says with what it said before.
func checkComm(t *testing.T, before procfs.Process, comm []byte) {
	t.Helper()
	masksBefore, err := procfs.ReadSignals(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile("/proc/self/comm", comm, 0); err != nil {
		t.Fatal(err)
	}
	named, err := os.ReadFile("/proc/self/comm")
	if err != nil {
		t.Fatal(err)
	}
	now, alive := before.Alive()
	if !alive || now.PID != before.PID || now.Parent != os.Getppid() || now.Start != before.Start {
		t.Fatalf("named %q, %+v became %+v, alive %v", named, before, now, alive)
	}
	if now.Comm != strings.TrimSuffix(string(named), "\n") {
		t.Fatalf("named %q, it reads as %q", named, now.Comm)
	}
	m, err := procfs.ReadSignals(os.Getpid())
	if err != nil || m.Caught != masksBefore.Caught || m.Ignored != masksBefore.Ignored {
		t.Fatalf("named %q, its signals are %+v, %v, and were %+v", named, m, err, masksBefore)
	}
	if got := procfs.Owner(now.PID); got != strconv.Itoa(os.Getuid()) {
		t.Fatalf("named %q, it belongs to %s", named, got)
	}
	if !(Target{Name: now.Comm}).matches(now) {
		t.Fatalf("named %q, it does not match its name", named)
	}
}

func checkPIDFile(t *testing.T, all procfs.Table, content []byte) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "pid")
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	pid, err := readPIDFile(path)
	first, _, _ := strings.Cut(strings.TrimSpace(string(content)), "\n")
	if want, wrong := strconv.Atoi(strings.TrimSpace(first)); err == nil && (pid < 1 || wrong != nil || pid != want) {
		t.Fatalf("%q holds the pid %d", content, pid)
	}
	found, _, err := Target{PIDFile: path}.find(all)
	switch {
	case err != nil:
	case found.PID != pid, all[pid] != found, all.Ancestors(os.Getpid())[pid]:
		t.Fatalf("%q leads to %v", content, found)
	}
}

func checkSignal(t *testing.T, text string) {
	t.Helper()
	s, err := ParseSignal(text)
	switch {
	case err != nil && s != 0, (s == 0) != (err != nil || text == ""), s < 0 || s > lastSignal || s == 32 || s == 33:
		t.Fatalf("%q is signal %d, %v", text, s, err)
	case unix.SignalName(syscall.Signal(s)) != "":
		if again, err := ParseSignal(s.String()); err != nil || again != s {
			t.Fatalf("%q is %v, and that %v, %v", text, s, again, err)
		}
	}
}
