//go:build linux

package bench

import (
	"bufio"
	"flag"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/fsnotify/fsnotify"
	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lease-sidecar/lease-sidecar/pkg/lease"
	"github.com/lease-sidecar/lease-sidecar/pkg/naming"
	"github.com/lease-sidecar/lease-sidecar/test/bench/result"
	"github.com/lease-sidecar/lease-sidecar/test/harness"
)

var (
	terms  = flag.Int("terms", 0, "how many terms TestSignals times; 0: 300, or 15 with -short")
	starts = flag.Int("starts", 0, "how many starts of a sidecar TestSignals times; 0: 50, or 5 with -short")
)

// receiver in the environment makes this program the process that TestSignals has signalled: see [receive].
const receiver = "BENCH_RECEIVER"

// receive prints when each SIGUSR1 comes, on the wall clock in nanoseconds, until its standard input ends.
func receive() int {
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, syscall.SIGUSR1, syscall.SIGUSR2)
	go func() {
		_, _ = os.Stdin.Read(make([]byte, 1))
		os.Exit(0)
	}()
	fmt.Println("ready")
	for s := range signals {
		if now := time.Now().UnixNano(); s == syscall.SIGUSR1 {
			fmt.Println(now)
		}
	}
	return 0
}

// TestSignals times how long the answer to the take of a Lease needs until it is a leader file, an event over HTTP, a process signal
// and a command that runs. One sidecar has all four signals. Another holder's name is written into the Lease by hand, and its release:
// the sidecar takes it, by a proxy that notes when the answer passes. And it times starts: from the start of the process to the
// leader file, of a Lease that is free.
func TestSignals(t *testing.T) {
	cluster := harness.Start(t)
	took := map[string][]time.Duration{}
	rig := newSignalRig(t, cluster)
	for range samples(*terms, 300, 15) {
		rig.term(t, took)
	}
	for _, name := range []string{"file", "http", "process", "child"} {
		record(t, result.Series{Figure: "signal/" + name, Subject: result.Sidecar, Unit: "ms", Values: milliseconds(took[name])})
	}
	var first []time.Duration
	for i := range samples(*starts, 50, 5) {
		first = append(first, firstSignal(t, cluster, fmt.Sprintf("web-%d", i)))
	}
	record(t, result.Series{Figure: "start/first-signal", Subject: result.Sidecar, Unit: "ms", Values: milliseconds(first)})
}

// firstSignal starts a sidecar on a free Lease, and returns how long that takes to a leader file.
func firstSignal(t *testing.T, cluster *harness.Cluster, pod string) time.Duration {
	t.Helper()
	e := harness.NewElection(t, cluster, leaseDuration)
	e.ShipFree(t)
	s := e.Prepare(t, pod)
	s.Args = append(s.Args, "--log-level", "info")
	files := watchFiles(t, s.Dir)
	start := time.Now()
	s.Start(t, e)
	_, at := awaitFile(t, files)
	s.Stop(0)
	return at.Sub(start)
}

func watchFiles(t *testing.T, dirs ...string) *fsnotify.Watcher {
	t.Helper()
	files, err := fsnotify.NewWatcher()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = files.Close() })
	for _, dir := range dirs {
		if err := files.Add(dir); err != nil {
			t.Fatal(err)
		}
	}
	return files
}

// signalRig is a sidecar with every local signal, and what sees each of them.
type signalRig struct {
	election *harness.Election
	sidecar  *harness.Sidecar
	line     *harness.Proxy
	files    *fsnotify.Watcher
	pipe     string // its command opens this, once it runs
	commands chan time.Time
	signals  chan time.Time
	events   chan time.Time // of streams, that say that it leads
}

func newSignalRig(t *testing.T, cluster *harness.Cluster) *signalRig {
	t.Helper()
	r := &signalRig{
		election: harness.NewElection(t, cluster, leaseDuration), line: cluster.Proxy(t), pipe: filepath.Join(t.TempDir(), "pipe"),
		commands: make(chan time.Time, 1), signals: make(chan time.Time, 1), events: make(chan time.Time, 1),
	}
	r.election.Ship(t)
	r.hold(t)
	if err := syscall.Mkfifo(r.pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	r.line.Trace()
	s := r.election.Prepare(t, "web-0")
	s.Kubeconfig = r.election.Access.Kubeconfig(t, r.line.Host())
	s.Args = append(s.Args, "--log-level", "info", "--pid-file", r.receive(t), "--on-elected", "USR1", "--on-lost", "USR2", "--", "cat", r.pipe)
	r.files = watchFiles(t, s.Dir)
	s.Start(t, r.election)
	r.sidecar = s
	harness.Eventually(t, slack, "it knows the holder", func() bool { return s.State().Leader == "other" })
	r.stream(t)
	return r
}

// receive starts the process to signal, and returns its pid file.
func (r *signalRig) receive(t *testing.T) string {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), receiver+"=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	out, err := cmd.StdoutPipe()
	if err == nil {
		_, err = cmd.StdinPipe()
	}
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	lines := bufio.NewScanner(out)
	if !lines.Scan() || lines.Text() != "ready" {
		t.Fatalf("the receiver says %q", lines.Text())
	}
	go func() { // ends with the receiver
		for lines.Scan() {
			if at, err := strconv.ParseInt(lines.Text(), 10, 64); err == nil {
				r.signals <- time.Unix(0, at)
			}
		}
	}()
	file := filepath.Join(t.TempDir(), "pid")
	if err := os.WriteFile(file, []byte(strconv.Itoa(cmd.Process.Pid)), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// stream follows the sidecar's events over HTTP.
func (r *signalRig) stream(t *testing.T) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+r.sidecar.HTTP+"/events", nil)
	if err != nil {
		t.Fatal(err)
	}
	reply, err := http.DefaultClient.Do(request)
	if err != nil || reply.StatusCode != http.StatusOK {
		t.Fatalf("follow the events: %+v, %v", reply, err)
	}
	t.Cleanup(func() { _ = reply.Body.Close() })
	go func() { // ends with the stream
		for lines := bufio.NewScanner(reply.Body); lines.Scan(); {
			if strings.Contains(lines.Text(), `"isLeader":true`) {
				r.events <- time.Now()
			}
		}
	}()
}

// hold writes another candidate into the Lease, as if it had just taken it.
func (r *signalRig) hold(t *testing.T) {
	t.Helper()
	r.election.Edit(t, func(l *coordinationv1.Lease) {
		const holder = "other_00000000-0000-4000-8000-000000000001"
		now := metav1.NewMicroTime(time.Now())
		l.Spec.HolderIdentity, l.Spec.LeaseDurationSeconds = new(holder), new(int32(leaseDuration/time.Second))
		l.Spec.AcquireTime, l.Spec.RenewTime = &now, &now
		l.Annotations[naming.AnnotationFencedBy] = lease.HeldMark(holder, leaseDuration)
	})
}

// release writes that one's release.
func (r *signalRig) release(t *testing.T) {
	t.Helper()
	r.election.Edit(t, func(l *coordinationv1.Lease) {
		now := metav1.NewMicroTime(time.Now().UTC().Truncate(time.Microsecond))
		l.Spec.HolderIdentity, l.Spec.LeaseDurationSeconds, l.Spec.RenewTime = new(string), new(int32(1)), &now
		l.Annotations[naming.AnnotationFencedBy] = lease.ReleasedMark(now.Time)
	})
}

// term has the sidecar lead once, and adds how long each signal took.
func (r *signalRig) term(t *testing.T, took map[string][]time.Duration) {
	t.Helper()
	opened := make(chan *os.File, 1)
	go func() { // ends once the command opens the other end, or the test does
		f, err := os.OpenFile(r.pipe, os.O_WRONLY, 0)
		r.commands <- time.Now()
		if err != nil {
			f = nil
		}
		opened <- f
	}()
	r.line.Passages()
	r.release(t)
	_, file := awaitFile(t, r.files)
	at := map[string]time.Time{"file": file}
	for name, seen := range map[string]chan time.Time{"http": r.events, "process": r.signals, "child": r.commands} {
		select {
		case at[name] = <-seen:
		case <-time.After(slack):
			t.Fatalf("no signal of the kind %q; the end of the log:\n%s", name, r.sidecar.Tail(10))
		}
	}
	asked, _ := exchanges(r.line.Passages())
	answered := time.Time{}
	for _, e := range asked {
		if !e.answered.IsZero() && e.answered.Before(file) {
			answered = e.answered // of the last request: the take
		}
	}
	if answered.IsZero() {
		t.Fatal("the proxy has seen no take")
	}
	for name, when := range at {
		took[name] = append(took[name], when.Sub(answered))
	}
	r.hold(t)
	harness.Eventually(t, slack, "it leads no more", func() bool { return r.sidecar.State().Leader == "other" && !r.sidecar.HasLeaderFile() })
	_ = (<-opened).Close()
	time.Sleep(50 * time.Millisecond) // its command has ended
}
