//go:build linux

package examples

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"

	"github.com/lease-sidecar/lease-sidecar/test/harness"
)

// mute is a pair of replicas whose workloads cannot ask: what a fault does to the one that leads.
type mute struct {
	t        *testing.T
	script   *transcript
	replicas []*replica
	apps     func(*replica) []int // the pids of its workload
	killed   bool                 // a workload that does not stop is gone before another one works
}

// faults are what can befall a leader. Each ends with the other replica at work alone, or says why not.
var faults = []struct {
	name   string
	befall func(m mute, leader, heir *replica)
}{
	{"planned handover", func(m mute, leader, heir *replica) {
		leader.StepDown()
		awaitLeader(m.t, m.script, heir)
	}},
	{"sidecar killed", func(m mute, leader, heir *replica) {
		send(m.t, syscall.SIGKILL, leader.PID())
		wantEndOfWork(m.t, m.script, leader)
		awaitLeader(m.t, m.script, heir)
	}},
	{"sidecar frozen", func(m mute, leader, heir *replica) {
		send(m.t, syscall.SIGSTOP, leader.PID())
		wantEndOfWork(m.t, m.script, leader)
		awaitLeader(m.t, m.script, heir)
		send(m.t, syscall.SIGCONT, leader.PID())
	}},
	{"app frozen", func(m mute, leader, heir *replica) {
		send(m.t, syscall.SIGSTOP, m.apps(leader)...)
		leader.StepDown()
		awaitLeader(m.t, m.script, heir)
		for _, app := range m.apps(leader) {
			if state := harness.State(app); m.killed && state != 'Z' && state != 0 {
				m.t.Errorf("the frozen workload is in state %c when another replica works; want it killed", state)
			}
			send(m.t, syscall.SIGCONT, app)
		}
		from := m.script.len()
		for range 10 {
			from = wantWork(m.t, m.script, from, heir.token(heir.Leadership()))
		}
	}},
	{"API partition", func(m mute, leader, heir *replica) {
		away := leader.store + "-away"
		rename(m.t, leader.store, away)
		wantEndOfWork(m.t, m.script, leader)
		rename(m.t, away, leader.store)
		eventually(m.t, "a replica leads again", func() bool { return leader.Leadership().IsLeader || heir.Leadership().IsLeader })
	}},
	{"node frozen", func(m mute, leader, heir *replica) {
		node := append(family(leader.PID()), m.apps(leader)...)
		send(m.t, syscall.SIGSTOP, node...)
		awaitLeader(m.t, m.script, heir)
		from := m.script.len()
		send(m.t, syscall.SIGCONT, node...)
		// What keeps the deadline wakes together with the workload: no clock can stop a piece that is begun before.
		wantWork(m.t, m.script, wantWork(m.t, m.script, from, heir.token(heir.Leadership())), heir.token(heir.Leadership()))
		from = m.script.len()
		for range 10 {
			from = wantWork(m.t, m.script, from, heir.token(heir.Leadership()))
		}
		old := 0
		for _, l := range m.script.from(from - 10) {
			if !change(l.text) && tokenOf(l.text) != heir.token(heir.Leadership()) {
				old++
			}
		}
		if old > 0 {
			m.t.Errorf("the woken workload works on\n%s", m.script)
		}
	}},
}

// TestProcessSignalsUnderFaults has a process signal begin each workload, and another one stop it.
func TestProcessSignalsUnderFaults(t *testing.T) {
	underFaults(t, func(t *testing.T, m *mute) {
		m.apps = func(r *replica) []int { return []int{r.worker.command.Process.Pid} }
		for i, r := range m.replicas {
			r.mark = strconv.Itoa(i + 1)
			pids := filepath.Join(t.TempDir(), "pid")
			command := exec.Command(lookUp(t, "sh"), "-c", `work= ; trap 'work=1' USR1; trap 'work=' USR2
				while :; do [ -z "$work" ] || echo "working token=`+r.mark+` unit=1"; sleep 0.1; done`)
			command.Stdout = m.script.input
			r.worker = start(t, command)
			if err := os.WriteFile(pids, []byte(strconv.Itoa(command.Process.Pid)), 0o644); err != nil {
				t.Fatal(err)
			}
			r.startSidecar(m.script, "--pid-file", pids, "--on-elected", "USR1", "--on-lost", "USR2")
		}
	})
}

// TestChildUnderFaults has each workload run only while its replica leads.
func TestChildUnderFaults(t *testing.T) {
	underFaults(t, func(t *testing.T, m *mute) {
		m.killed = true
		m.apps = func(r *replica) (apps []int) {
			for _, pid := range family(r.PID()) {
				if comm, _ := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid)); string(comm) == "sh\n" {
					apps = append(apps, pid)
				}
			}
			return apps
		}
		for _, r := range m.replicas {
			r.startSidecar(m.script, "--", lookUp(t, "sh"), "-c",
				`while :; do echo "working token=$LEASE_SIDECAR_TOKEN unit=1"; sleep 0.1; done`)
		}
	})
}

// underFaults runs each fault on a pair of its own, and has nobody work after another has begun.
func underFaults(t *testing.T, begin func(*testing.T, *mute)) {
	for _, fault := range faults {
		t.Run(fault.name, func(t *testing.T) {
			t.Parallel()
			root := harness.LocalRoot(t)
			m := mute{t: t, script: newTranscript(t), replicas: []*replica{newReplica(t, 0, root), newReplica(t, 1, root)}}
			begin(t, &m)
			leader, _ := awaitLeader(t, m.script, m.replicas...)
			fault.befall(m, leader, other(leader, m.replicas))
			if fault.name != "node frozen" { // there it is bounded, not excluded
				wantOneAtWork(t, m.script)
			}
		})
	}
}

func send(t *testing.T, sig syscall.Signal, pids ...int) {
	t.Helper()
	for _, pid := range pids {
		if err := syscall.Kill(pid, sig); err != nil && !errors.Is(err, syscall.ESRCH) {
			t.Fatalf("send %v to %d: %v", sig, pid, err)
		}
	}
}

func rename(t *testing.T, from, to string) {
	t.Helper()
	if err := os.Rename(from, to); err != nil {
		t.Fatal(err)
	}
}

// family returns a process and its descendants, it first.
func family(pid int) []int {
	all := []int{pid}
	for _, child := range harness.Children(pid) {
		all = append(all, family(child)...)
	}
	return all
}
