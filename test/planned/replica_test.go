package planned

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
	"github.com/lease-sidecar/lease-sidecar/pkg/leadership"
)

// The ways in which a workload is tied to its sidecar.
const (
	byChild   = "child"   // it is the sidecar's command
	byProcess = "process" // the sidecar tells it by SIGTERM, and kills it where it does not end
	byFile    = "file"    // it looks at the signal directory, and nobody sees it
)

// stage is what one test's replicas share.
type stage struct {
	t    *testing.T
	root string
	way  string
	toy  []string // its environment
	flag []string // of every sidecar
}

func newStage(t *testing.T, way, leaseDuration string, toy []string, flags ...string) *stage {
	t.Helper()
	t.Parallel()
	root, err := os.MkdirTemp("", "pl") // short, as a socket's path must be
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(root) })
	for _, dir := range []string{workDir, "store"} {
		if err := os.Mkdir(filepath.Join(root, dir), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(root, "nowhere"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if way == byFile {
		toy = append(toy, followEnv+"=file")
	}
	return &stage{t: t, root: root, way: way, toy: toy, flag: append([]string{"--lease-duration", leaseDuration}, flags...)}
}

// replica is a sidecar and its workload, which starts when the replica leads.
type replica struct {
	*stage
	name, dir string
	sidecar   *exec.Cmd
	over      chan struct{} // the sidecar has ended
	output    *os.File      // of the sidecar and the workload
}

// start runs a replica until the test ends.
func (s *stage) start(name string) *replica {
	s.t.Helper()
	r := &replica{stage: s, name: name, dir: filepath.Join(s.root, name), over: make(chan struct{})}
	if err := os.MkdirAll(filepath.Join(r.dir, signalDir), 0o700); err != nil {
		s.t.Fatal(err)
	}
	if err := os.Symlink(filepath.Join(s.root, "store"), filepath.Join(r.dir, "store")); err != nil {
		s.t.Fatal(err)
	}
	output, err := os.OpenFile(filepath.Join(r.dir, "log"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		s.t.Fatal(err)
	}
	r.output = output
	s.t.Cleanup(func() { _ = output.Close() }) // after the one below, which joins who writes to it
	args := append([]string{
		"run", "--store", "dir:" + filepath.Join(r.dir, "store"), "--workload", "deployment/toy", "--identity", name,
		"--signal-dir", filepath.Join(r.dir, signalDir), "--http-address", "unix:" + filepath.Join(r.dir, "http.sock"),
		"--probe-address", "127.0.0.1:0", "--log-format", "text",
	}, s.flag...)
	for i, arg := range args {
		args[i] = strings.Replace(arg, "unix:"+socket, "unix:"+filepath.Join(r.dir, socket), 1)
	}
	switch s.way {
	case byChild:
		args = append(args, "--", os.Args[0])
	case byProcess:
		args = append(args, "--pid-file", filepath.Join(r.dir, pidFile), "--on-lost", "TERM")
	}
	r.sidecar = r.command(binary, args...)
	if err := r.sidecar.Start(); err != nil {
		s.t.Fatal(err)
	}
	go func() { defer close(r.over); _ = r.sidecar.Wait() }()
	ctx, cancel := context.WithCancel(context.Background())
	var supervising sync.WaitGroup
	if s.way != byChild {
		supervising.Go(func() { r.supervise(ctx) })
	}
	s.t.Cleanup(func() {
		cancel()
		_ = r.sidecar.Process.Kill()
		<-r.over
		supervising.Wait()
		for _, w := range s.spells() { // the guard has killed what it could; a worker may be left
			if w.replica == r.name {
				_ = syscall.Kill(w.pid, syscall.SIGKILL)
			}
		}
		if s.t.Failed() {
			s.t.Logf("%s:\n%s", name, r.log())
		}
	})
	return r
}

func (r *replica) command(program string, args ...string) *exec.Cmd {
	c := exec.Command(program, args...)
	c.Env = append(append(os.Environ(), toyEnv+"=toy", dirEnv+"="+r.dir, "GORACE=atexit_sleep_ms=0"), r.toy...)
	c.Stdout, c.Stderr = r.output, r.output
	return c
}

// supervise starts the workload, once, when the replica leads, as an init script would, and kills it when ctx ends. One that looks
// for itself whether it leads starts at once.
func (r *replica) supervise(ctx context.Context) {
	for ctx.Err() == nil {
		if l, err := leadership.Read(filepath.Join(r.dir, signalDir)); r.way == byFile || err == nil && l.IsLeader {
			toy := r.command(os.Args[0])
			if err := toy.Start(); err != nil {
				r.t.Error(err)
				return
			}
			stop := context.AfterFunc(ctx, func() { _ = toy.Process.Kill() })
			_ = toy.Wait()
			stop()
			return // a term is all that a test needs
		}
		time.Sleep(tick)
	}
}

func (r *replica) log() string {
	b, _ := os.ReadFile(filepath.Join(r.dir, "log"))
	return string(b)
}

func (r *replica) send(s syscall.Signal) {
	r.t.Helper()
	if err := r.sidecar.Process.Signal(s); err != nil {
		r.t.Fatal(err)
	}
}

// stepDown asks for a planned handover.
func (r *replica) stepDown() {
	r.t.Helper()
	if out, err := r.ask("step-down"); err != nil {
		r.t.Fatalf("step down: %v: %s", err, out)
	}
}

func (r *replica) ask(order ...string) ([]byte, error) {
	return exec.Command(binary, append(order, "--http-address", "unix:"+filepath.Join(r.dir, "http.sock"))...).CombinedOutput()
}

// cut takes the store away from this replica alone.
func (r *replica) cut() {
	r.t.Helper()
	link := filepath.Join(r.dir, "store")
	if err := os.Symlink(filepath.Join(r.root, "nowhere"), link+".new"); err != nil {
		r.t.Fatal(err)
	}
	if err := os.Rename(link+".new", link); err != nil {
		r.t.Fatal(err)
	}
}

// hold returns the end of what the replica holds, as its document says: zero where it holds nothing.
func (r *replica) hold() bootclock.Instant {
	l, err := leadership.Read(filepath.Join(r.dir, signalDir))
	if err != nil {
		return 0
	}
	return l.ValidUntil
}

// guard returns the pid of the sidecar's guard.
func (r *replica) guard() int {
	r.t.Helper()
	var pid int
	r.within(10*time.Second, "the guard runs", func() bool {
		out, _ := exec.Command("ps", "-o", "pid=,args=", "--ppid", strconv.Itoa(r.sidecar.Process.Pid)).Output()
		for line := range strings.Lines(string(out)) {
			fields := strings.Fields(line)
			if len(fields) > 2 && fields[2] == "guard" {
				pid, _ = strconv.Atoi(fields[0])
			}
		}
		return pid != 0
	})
	return pid
}

// works waits until the replica's workload works, and the sidecar knows of it.
func (r *replica) works() record {
	r.t.Helper()
	var found record
	r.within(45*time.Second, r.name+" works", func() bool {
		for _, w := range r.spells() {
			if w.replica == r.name {
				found = w
			}
		}
		return found.pid != 0 && (r.way != byProcess || strings.Contains(r.log(), "found the process to tell"))
	})
	return found
}

func (s *stage) within(d time.Duration, what string, so func() bool) {
	s.t.Helper()
	for deadline := time.Now().Add(d); time.Now().Before(deadline); time.Sleep(tick) {
		if so() {
			return
		}
	}
	s.t.Fatalf("not within %s: %s", d, what)
}

// record is a spell of work, as its process wrote it down.
type record struct {
	replica     string
	pid         int
	begin, last bootclock.Instant
	stopped     bool // it ended by itself
}

// spells returns all work so far.
func (s *stage) spells() []record {
	s.t.Helper()
	names, err := os.ReadDir(filepath.Join(s.root, workDir))
	if err != nil {
		s.t.Fatal(err)
	}
	var all []record
	for _, entry := range names {
		b, err := os.ReadFile(filepath.Join(s.root, workDir, entry.Name()))
		if err != nil {
			s.t.Fatal(err)
		}
		parts := strings.Split(entry.Name(), ".")
		r := record{replica: parts[0]}
		r.pid, _ = strconv.Atoi(parts[1])
		if _, err := fmt.Sscanf(string(b), "%d %d", &r.begin, &r.last); err != nil {
			continue // it has just begun
		}
		r.stopped = strings.HasSuffix(string(b), "stopped")
		all = append(all, r)
	}
	return all
}

// last returns when the replica's workload was at work last, all its processes together, and whether each ended by itself.
func (r *replica) last() (last bootclock.Instant, stopped bool) {
	r.t.Helper()
	stopped = true
	for _, w := range r.spells() {
		if w.replica == r.name {
			last = max(last, w.last)
			stopped = stopped && w.stopped
		}
	}
	return last, stopped
}

// noOverlap checks that no two replicas' workloads worked at one time.
func (s *stage) noOverlap() {
	s.t.Helper()
	all := s.spells()
	newest := slices.MaxFunc(all, func(a, b record) int { return cmp.Compare(a.begin, b.begin) }).replica
	working := func(r record) bool { return r.replica != newest && alive(r.pid) }
	for late := time.Now().Add(6 * time.Second); slices.ContainsFunc(all, working) && time.Now().Before(late); all = s.spells() {
		time.Sleep(tick) // to say how long
	}
	for i, a := range all {
		for _, b := range all[i+1:] {
			if a.replica != b.replica && a.begin < b.last && b.begin < a.last {
				s.t.Errorf("%s and %s worked at once for %s", a.replica, b.replica, min(a.last, b.last).Sub(max(a.begin, b.begin)))
			}
		}
	}
}

var probeAddress = regexp.MustCompile(`for=probe-address addresses="?\[([^ \]]+)`)

// metric returns a metric's value.
func (r *replica) metric(name string) string {
	r.t.Helper()
	m := probeAddress.FindStringSubmatch(r.log())
	if m == nil {
		r.t.Fatal("no probe address in the log")
	}
	response, err := http.Get("http://" + m[1] + "/metrics")
	if err != nil {
		r.t.Fatal(err)
	}
	defer response.Body.Close()
	defer http.DefaultClient.CloseIdleConnections()
	b, _ := io.ReadAll(response.Body)
	for line := range strings.Lines(string(b)) {
		if value, ok := strings.CutPrefix(line, name+" "); ok {
			return strings.TrimSpace(value)
		}
	}
	return ""
}
