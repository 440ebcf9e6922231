//go:build linux

package harness

import (
	"bufio"
	"cmp"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
)

// workGap is the longest pause in a journal that still counts as work: a worker writes every 10 ms, on a busy machine.
const workGap = 300 * time.Millisecond

// workRecent is how old the newest line of a journal may be of a worker that works: a busy machine lets it wait at times.
const workRecent = time.Second

// worker is a program that works: it writes the boot clock into a journal of its own every 10 ms.
//
// Its arguments are the journal's path without the pid, and then, in any order: "linger=SECONDS" (after SIGTERM it works
// on for so long; else it ends at once), "leave" (a child process does the work, ignores SIGTERM, and outlives the
// process that started it), "listen=PORT" (it takes connections on loopback until SIGTERM), "pid=FILE" (it writes down
// its pid), "wait" (it works from SIGUSR1 on).
const worker = `
import os, signal, socket, sys, threading, time
opts = dict(a.partition("=")[::2] for a in sys.argv[2:])
until = [float("inf")]
elected = ["wait" not in opts]
def on_elected(*_):
    elected[0] = True
    open(sys.argv[1] + ".elected", "w").close()
def on_lost(*_):
    if "listen" in opts: server.close()
    until[0] = min(until[0], time.clock_gettime(time.CLOCK_BOOTTIME) + float(opts.get("linger", 0)))
signal.signal(signal.SIGTERM, on_lost)
signal.signal(signal.SIGUSR1, on_elected)
def accept(server):
    while True:
        try: server.accept()[0].close()
        except OSError: return
if "listen" in opts:
    server = socket.socket()
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    server.bind(("127.0.0.1", int(opts["listen"])))
    server.listen(16)
    threading.Thread(target=accept, args=(server,), daemon=True).start()
if "pid" in opts:
    with open(opts["pid"] + ".new", "w") as f: f.write(str(os.getpid()))
    os.rename(opts["pid"] + ".new", opts["pid"])
while not elected[0]: time.sleep(0.01)
working = True
if "leave" in opts:
    working = os.fork() == 0
    if working: signal.signal(signal.SIGTERM, signal.SIG_IGN)
journal = os.open(sys.argv[1] + "." + str(os.getpid()), os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600)
while time.clock_gettime(time.CLOCK_BOOTTIME) < until[0]:
    if working: os.write(journal, b"%d\n" % time.clock_gettime_ns(time.CLOCK_BOOTTIME))
    time.sleep(0.01)
`

// Work is what the workloads of a test did, by journals that they wrote themselves on the boot clock. It is judged
// without regard to what any sidecar published.
type Work struct{ dir string }

// NewWork returns work that nobody has done yet.
func NewWork(t testing.TB) *Work {
	t.Helper()
	w := &Work{dir: t.TempDir()}
	if err := os.WriteFile(filepath.Join(w.dir, "worker.py"), []byte(worker), 0o600); err != nil {
		t.Fatalf("write the worker: %v", err)
	}
	return w
}

// Command is a command line that works as the replica's workload, in the manner of the options: linger=SECONDS, leave,
// listen=PORT, pid=FILE.
func (w *Work) Command(pod string, options ...string) []string {
	return append([]string{"/usr/bin/python3", filepath.Join(w.dir, "worker.py"), filepath.Join(w.dir, pod)}, options...)
}

// Start starts a workload of the replica that no sidecar has started. It dies with the test; what it leaves behind must
// be ended by the test.
func (w *Work) Start(t testing.TB, pod string, options ...string) *Process {
	t.Helper()
	command := w.Command(pod, options...)
	return Launch(t, pod+"'s workload", filepath.Join(w.dir, "log-"+pod), command[0], command[1:], nil)
}

// Terms returns every span in which a process of a replica's workload worked, by its start.
func (w *Work) Terms(t testing.TB) []Term {
	t.Helper()
	journals, err := filepath.Glob(filepath.Join(w.dir, "*.[0-9]*"))
	if err != nil {
		t.Fatal(err)
	}
	var terms []Term
	for _, journal := range journals {
		pod := strings.TrimSuffix(filepath.Base(journal), filepath.Ext(journal))
		terms = append(terms, spans(t, pod, journal)...)
	}
	slices.SortFunc(terms, func(a, b Term) int { return cmp.Compare(a.From, b.From) })
	return terms
}

func spans(t testing.TB, pod, journal string) []Term {
	t.Helper()
	f, err := os.Open(journal)
	if err != nil {
		t.Fatalf("open a journal: %v", err)
	}
	defer func() { _ = f.Close() }()
	var terms []Term
	for lines := bufio.NewScanner(f); lines.Scan(); {
		ns, err := strconv.ParseInt(lines.Text(), 10, 64)
		if err != nil {
			continue // the last line of a process that was killed
		}
		at := bootclock.Instant(ns)
		if last := len(terms) - 1; last >= 0 && at.Sub(terms[last].To) < workGap {
			terms[last].To = at
			continue
		}
		terms = append(terms, Term{Replica: pod, Channel: "work", From: at, To: at})
	}
	return terms
}

// Works reports whether the replica's workload has worked just now.
func (w *Work) Works(t testing.TB, pod string) bool {
	t.Helper()
	now := bootclock.System{}.Now()
	for _, term := range w.Terms(t) {
		if term.Replica == pod && now.Sub(term.To) < workRecent {
			return true
		}
	}
	return false
}

// Elected reports whether a workload of the replica was ever sent SIGUSR1.
func (w *Work) Elected(pod string) bool {
	_, err := os.Stat(filepath.Join(w.dir, pod+".elected"))
	return err == nil
}

// Await waits until the replica's workload works.
func (w *Work) Await(t testing.TB, bound time.Duration, pod string) {
	t.Helper()
	Eventually(t, bound, pod+" works", func() bool { return w.Works(t, pod) })
}

// Double returns for how long the workloads of two replicas worked at once, over all pairs of spans.
func (w *Work) Double(t testing.TB) time.Duration {
	t.Helper()
	var double time.Duration
	for _, o := range Overlaps(w.Terms(t)) {
		double += o.Span
	}
	return double
}

// workLook is how long Verdict looks on, so that an overlap that has just begun shows its length.
const workLook = 3 * time.Second

// Verdict looks on for three seconds, fails the test where two replicas worked at once, and logs for how long.
func (w *Work) Verdict(t testing.TB) {
	t.Helper()
	time.Sleep(workLook)
	for _, o := range Overlaps(w.Terms(t)) {
		t.Errorf("two worked at once: %v", o)
	}
	for _, term := range w.Terms(t) {
		t.Logf("%s worked from %v to %v", term.Replica, time.Duration(term.From), time.Duration(term.To))
	}
	t.Logf("figure: double work %.2f s", w.Double(t).Seconds())
}

// FreePort returns a loopback TCP port that nobody listens on, for a workload of a test.
func FreePort(t testing.TB) string {
	t.Helper()
	free, err := freePorts(1)
	if err != nil {
		t.Fatal(err)
	}
	return free[0]
}

// KillGroup ends every process of the process group that the process was started in, those included that it left behind.
func (p *Process) KillGroup() { _ = syscall.Kill(-p.PID(), syscall.SIGKILL) }
