//go:build linux

package integration

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/lease-sidecar/lease-sidecar/test/harness"
)

// An app writes to the guarded resource for as long as it lives, whatever it is answered. A stubborn one ignores SIGTERM.
const (
	obedient = ``
	stubborn = `trap '' TERM; `
)

// pod is a replica in child mode, as it is on a node: the sidecar, its guard, the app and all that the app starts are in one
// control group.
type pod struct {
	*harness.Sidecar
	node    *harness.Cgroup
	appFile string // where the app writes down its pid
}

// startPods starts n pods whose apps write to the resource.
func startPods(t *testing.T, e *harness.Election, n int, to *guarded, manner string) []*pod {
	t.Helper()
	var pods []*pod
	for i := range n {
		p := &pod{node: harness.NewCgroup(t), appFile: filepath.Join(t.TempDir(), "pid")}
		p.Sidecar = e.Prepare(t, fmt.Sprintf("web-%d", i))
		p.Binary = p.node.Launcher(p.Binary)
		work := fmt.Sprintf(`echo $$ >'%s'; while read up _ </proc/uptime; do
			curl -s -m 60 -X POST "%s/%s?token=$LEASE_SIDECAR_TOKEN&up=$up"; sleep 0.2; done`, p.appFile, to.url, p.Pod)
		p.Args = append(p.Args, "--", "sh", "-c", manner+work)
		p.Start(t, e)
		pods = append(pods, p)
	}
	return pods
}

func sidecarsOf(pods []*pod) []*harness.Sidecar {
	var all []*harness.Sidecar
	for _, p := range pods {
		all = append(all, p.Sidecar)
	}
	return all
}

// awaitPod waits until one of the pods is told that it leads and its app has had a write accepted. It returns the token.
func awaitPod(t *testing.T, bound time.Duration, to *guarded, pods ...*pod) (*pod, string) {
	t.Helper()
	leader := harness.AwaitLeader(t, bound, sidecarsOf(pods)...)
	token := leader.State().Token
	to.awaitWork(t, token)
	for _, p := range pods {
		if p.Sidecar == leader {
			return p, token
		}
	}
	panic("unreachable: the leader is one of the pods")
}

// heirOf returns the other one of two pods.
func heirOf(pods []*pod, leader *pod) *pod {
	if pods[0] == leader {
		return pods[1]
	}
	return pods[0]
}

// app returns the app's pid.
func (p *pod) app(t *testing.T) int {
	t.Helper()
	b, err := os.ReadFile(p.appFile)
	if err != nil {
		t.Fatalf("read the app's pid: %v", err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(b)))
	if err != nil {
		t.Fatalf("read the app's pid: %v", err)
	}
	return pid
}

// runs reports whether a process exists and is no zombie; frozen ones count.
func runs(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err == nil && !bytes.Contains(stat, []byte(") Z ")) && !bytes.Contains(stat, []byte(") X "))
}

// strike sends a signal to processes, those that are gone left out.
func strike(t *testing.T, sig syscall.Signal, pids ...int) {
	t.Helper()
	for _, pid := range pids {
		if err := syscall.Kill(pid, sig); err != nil && !errors.Is(err, syscall.ESRCH) {
			t.Fatalf("send %v to %d: %v", sig, pid, err)
		}
	}
}
