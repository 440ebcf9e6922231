//go:build linux

package chaos

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
	"github.com/lease-sidecar/lease-sidecar/test/harness"
	"github.com/lease-sidecar/lease-sidecar/test/workload/journal"
)

// mode is how a replica's sidecar runs or notifies the program.
type mode string

const (
	// child: the sidecar runs the program.
	child mode = "child"
	// fence: SIGUSR1 and SIGTERM, with --fence kill.
	fence mode = "fence"
	// ended: SIGUSR1 and SIGTERM; nobody kills the program, which ends in time.
	ended mode = "ended"
	// news: SIGUSR1 and SIGUSR2; the program lives on, stops in time and says so.
	news mode = "news"
)

// killed reports whether something kills a program that does not stop, so that it may be one.
func (m mode) killed() bool { return m == child || m == fence }

// flags are those of run for the mode.
func (m mode) flags(pidFile string) []string {
	switch m {
	case fence:
		return []string{"--pid-file", pidFile, "--on-elected", "USR1", "--on-lost", "TERM", "--fence", "kill", "--health-while", "leading"}
	case ended:
		return []string{"--pid-file", pidFile, "--on-elected", "USR1", "--on-lost", "TERM", "--health-while", "leading"}
	case news:
		return []string{"--pid-file", pidFile, "--on-elected", "USR1", "--on-lost", "USR2"}
	}
	return nil
}

// replica is a pod: a sidecar and a program in one control group, with a line and a storm of its own to the API server.
type replica struct {
	t       *testing.T
	index   int
	mode    mode
	folder  string // journals, pid file, control files
	sidecar *harness.Sidecar
	storm   *harness.Storm
	line    *harness.Proxy
	pod     *harness.Cgroup
	args    []string // of the program, itself included

	mu       sync.Mutex
	fate     harness.Fate        // of writes
	releases []bootclock.Instant // when each release came to the API server
	quiet    sync.Mutex          // held while the program is not to be started again
}

// newReplica starts a replica. It ends with the test.
func (f *fleet) newReplica(index int, m mode, c harness.Conduct) *replica {
	t := f.t
	t.Helper()
	r := &replica{t: t, index: index, mode: m, folder: t.TempDir(), pod: harness.NewCgroup(t), storm: f.election.Cluster.Storm(t)}
	r.storm.Faults(r.decide)
	r.line = r.storm.Proxy(t)
	r.sidecar = f.election.Prepare(t, fmt.Sprintf("web-%d", index))
	t.Cleanup(r.pod.Kill) // before the sidecar is stopped: workers would outlive all others
	r.sidecar.Kubeconfig = f.election.Access.Kubeconfig(t, r.line.Host())
	r.sidecar.Binary = r.pod.Launcher(harness.Binary(t))
	if c != nil { // else one is drawn for each start
		c.Write(t, r.folder)
	}
	health, pidFile := harness.FreeAddress(t), filepath.Join(r.folder, "pid")
	r.args = []string{
		harness.WorkloadProgram(t), "-folder", r.folder, "-health", health, "-seed", strconv.FormatUint(f.seed<<8|uint64(index), 10),
	}
	if !m.killed() {
		r.args = append(r.args, "-bound", f.bound().String())
	}
	r.sidecar.Args = append(r.sidecar.Args,
		"--health-url", "http://"+health+"/", "--health-interval", "200ms", "--health-threshold", "2",
		"--health-start-grace", "3s", "--log-level", "info",
	)
	r.sidecar.Args = append(r.sidecar.Args, m.flags(pidFile)...)
	r.sidecar.Args = append(r.sidecar.Args, f.flags...)
	switch m {
	case child:
		r.args = append(r.args, "-child")
		r.sidecar.Args = append(append(r.sidecar.Args, "--"), r.args...)
	case news:
		r.args = append(r.args, "-sidecar", r.sidecar.HTTP, "-pid-file", pidFile)
	default:
		r.args = append(r.args, "-pid-file", pidFile)
	}
	r.sidecar.Start(t, f.election)
	if m != child {
		r.keep(rand.New(rand.NewPCG(f.seed, uint64(index)<<8)))
	}
	return r
}

// keep starts the program, and again some time after each of its ends, as a kubelet does. It ends with the test.
func (r *replica) keep(chance *rand.Rand) {
	launcher := r.pod.Launcher(r.args[0])
	over, done := make(chan struct{}), make(chan struct{})
	r.t.Cleanup(func() {
		close(over)
		r.pod.Kill()
		<-done
	})
	go func() {
		defer close(done)
		for {
			r.quiet.Lock()
			p, err := harness.Spawn("program", filepath.Join(r.folder, "log"), launcher, r.args[1:], nil)
			r.quiet.Unlock()
			if err != nil {
				r.t.Errorf("start the program of %s: %v", r.sidecar.Pod, err)
				return
			}
			select {
			case <-p.Exited():
			case <-over: // it may have been started after the pod was killed
				p.Stop(0)
			}
			select {
			case <-over:
				return
			case <-time.After(200*time.Millisecond + time.Duration(chance.Int64N(int64(600*time.Millisecond)))):
			}
		}
	}()
}

// decide is the storm's: it notes releases, and lets writes meet their fate.
func (r *replica) decide(request *http.Request) harness.Fate {
	if request.Method != http.MethodPut {
		return harness.Fate{}
	}
	released := harness.IsRelease(request)
	at := now()
	r.mu.Lock()
	defer r.mu.Unlock()
	if released {
		r.releases = append(r.releases, at)
	}
	return r.fate
}

func (r *replica) setFate(f harness.Fate) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.fate = f
}

// sicken makes the health checks fail until heal.
func (r *replica) sicken() {
	if err := os.WriteFile(filepath.Join(r.folder, "sick"), nil, 0o600); err != nil {
		r.t.Errorf("make %s unhealthy: %v", r.sidecar.Pod, err)
	}
}

func (r *replica) heal() { _ = os.Remove(filepath.Join(r.folder, "sick")) }

// leads reports whether the replica publishes now that it leads.
func (r *replica) leads() bool {
	leads, _ := r.sidecar.Leads()
	return leads
}

// signalGuard sends a process signal to the guards, of which there is one or none, and returns what sends them another.
func (r *replica) signalGuard(s syscall.Signal) (again func(syscall.Signal)) {
	self := r.sidecar.PID()
	image := imageOf(self)
	var guards []*os.Process
	for _, pid := range r.pod.PIDs() {
		if pid != self && image != "" && imageOf(pid) == image {
			p, _ := os.FindProcess(pid) // by a pidfd; it never fails
			guards = append(guards, p)
		}
	}
	again = func(s syscall.Signal) {
		for _, p := range guards {
			_ = p.Signal(s) // it may have ended
		}
	}
	again(s)
	return again
}

// imageOf returns the program that a process executes, "" where it has ended.
func imageOf(pid int) string {
	exe, _ := os.Readlink(fmt.Sprintf("/proc/%d/exe", pid))
	return exe
}

// signalCommand sends a process signal to the newest command that lives, as its journals name it.
func (r *replica) signalCommand(s syscall.Signal) {
	all, err := journal.Read(r.folder)
	if err != nil {
		r.t.Errorf("find the command of %s: %v", r.sidecar.Pod, err)
	}
	for _, p := range slices.Backward(all) { // by the instants at which they were made
		if p.Kind == journal.Command && imageOf(p.PID) == r.args[0] {
			_ = syscall.Kill(p.PID, s)
			return
		}
	}
}
