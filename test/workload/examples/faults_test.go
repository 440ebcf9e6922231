//go:build linux

package examples

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"
	"testing"

	"github.com/lease-sidecar/lease-sidecar/test/harness"
)

// mute is a pair whose workloads cannot ask: what a fault does to the one that leads.
type mute struct {
	*pair
	apps   func(*replica) []int // the pids of its workload
	killed bool                 // a workload that does not stop is gone before another one works
}

// faults are what can befall a leader. Each ends with the other replica at work alone, or says why not.
var faults = []struct {
	name   string
	befall func(mute)
}{
	{"planned handover", func(m mute) {
		m.leader.StepDown()
		m.awaitWork(m.heir)
	}},
	{"sidecar killed", func(m mute) {
		send(m.t, syscall.SIGKILL, m.leader.PID())
		m.wantEndOfWork(m.leader)
		m.awaitWork(m.heir)
	}},
	{"sidecar frozen", func(m mute) {
		send(m.t, syscall.SIGSTOP, m.leader.PID())
		m.wantEndOfWork(m.leader)
		m.awaitWork(m.heir)
		send(m.t, syscall.SIGCONT, m.leader.PID())
	}},
	{"app frozen", func(m mute) {
		send(m.t, syscall.SIGSTOP, m.apps(m.leader)...)
		m.leader.StepDown()
		m.awaitWork(m.heir)
		for _, app := range m.apps(m.leader) {
			if state := harness.State(app); m.killed && state != 'Z' && state != 0 {
				m.t.Errorf("the frozen workload is in state %c when another replica works; want it killed", state)
			}
			send(m.t, syscall.SIGCONT, app)
		}
		m.wantPieces(10)
	}},
	{"API partition", func(m mute) {
		away := m.leader.store + "-away"
		rename(m.t, m.leader.store, away)
		m.wantEndOfWork(m.leader)
		rename(m.t, away, m.leader.store)
		eventually(m.t, "a replica leads again", func() bool { return m.leader.Leadership().IsLeader || m.heir.Leadership().IsLeader })
	}},
	{"node frozen", func(m mute) {
		node := append(family(m.leader.PID()), m.apps(m.leader)...)
		send(m.t, syscall.SIGSTOP, node...)
		m.awaitWork(m.heir)
		send(m.t, syscall.SIGCONT, node...)
		// What keeps the deadline wakes together with the workload: no clock can stop a piece that is begun before.
		m.wantPieces(2)
		from := m.script.len()
		m.wantPieces(10)
		heirs := m.heir.token(m.heir.Leadership())
		if slices.ContainsFunc(m.script.from(from), func(l line) bool { return !change(l.text) && tokenOf(l.text) != heirs }) {
			m.t.Errorf("the woken workload works on\n%s", m.script)
		}
	}},
}

// TestProcessSignalsUnderFaults has a process signal begin each workload, and another one stop it.
func TestProcessSignalsUnderFaults(t *testing.T) {
	apps := func(r *replica) []int { return []int{r.worker.command.Process.Pid} }
	underFaults(t, apps, false, func(t *testing.T, script *transcript, r *replica) {
		r.mark = r.Name
		command := exec.Command(lookUp(t, "sh"), "-c", `work= ; trap 'work=1' USR1; trap 'work=' USR2
			while :; do [ -z "$work" ] || echo "working token=`+r.mark+` unit=1"; sleep 0.1; done`)
		command.Args[0] = filepath.Base(filepath.Dir(r.store)) + r.Name // of this test alone: the sidecar finds it by its name
		command.Stdout = script.input
		r.worker = start(t, command)
		r.startSidecar(script, "--process-name", command.Args[0], "--on-elected", "USR1", "--on-lost", "USR2")
	})
}

// TestChildUnderFaults has each workload run only while its replica leads.
func TestChildUnderFaults(t *testing.T) {
	apps := func(r *replica) (apps []int) {
		for _, pid := range family(r.PID()) {
			if comm, _ := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid)); string(comm) == "sh\n" {
				apps = append(apps, pid)
			}
		}
		return apps
	}
	underFaults(t, apps, true, func(t *testing.T, script *transcript, r *replica) {
		r.startSidecar(script, "--", lookUp(t, "sh"), "-c",
			`while :; do echo "working token=$LEADERSHIP_TOKEN unit=1"; sleep 0.1; done`)
	})
}

// underFaults runs each fault on a pair of its own, and has nobody work after another has begun.
func underFaults(t *testing.T, apps func(*replica) []int, killed bool, begin func(*testing.T, *transcript, *replica)) {
	for _, fault := range faults {
		t.Run(fault.name, func(t *testing.T) {
			t.Parallel()
			m := mute{startPair(t, begin), apps, killed}
			fault.befall(m)
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
