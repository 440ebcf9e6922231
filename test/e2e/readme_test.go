//go:build linux

package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/lease-sidecar/lease-sidecar/test/e2e/lab"
	"github.com/lease-sidecar/lease-sidecar/test/harness"
	"github.com/lease-sidecar/lease-sidecar/test/workload/docs"
)

// A new user has a cluster and the repository, and copies at most this many commands from the README until a workload with a leader runs.
const newUsersCommands = 5

// TestReadme plays the README's commands for a pod as they stand, in a namespace of the strictest Pod Security standard. The last one
// shows the logs: one pod works, the one that the Lease names. The test deletes it, as the README says, and another one works.
func TestReadme(t *testing.T) {
	t.Parallel()
	l := lab.Shared(t)
	root := harness.ModuleRoot(t)
	namespace := l.Namespace(t, lab.Restricted())
	t.Cleanup(func() {
		l.LateKubectl(t, namespace, "delete", "deployment", "web", "--ignore-not-found", "--wait=false")
	})
	if err := docs.Play(readmeSteps(t, root), root, l.Reader(t, namespace)); err != nil {
		t.Fatalf("%v\n%s\n%s", err, l.LateKubectl(t, namespace, "get", "pods,leases", "-o", "wide"),
			l.LateKubectl(t, namespace, "logs", "-l", "app=web", "--all-containers", "--prefix", "--tail=15"))
	}
	works := func() (pods []string) {
		logs, _ := l.TryKubectl(t, namespace, "logs", "-l", "app=web", "-c", "web", "--prefix", "--tail=1") // fails for a pod that starts
		for line := range strings.Lines(logs) {
			if pod, does, _ := strings.Cut(strings.TrimPrefix(line, "[pod/"), "/web] "); strings.HasPrefix(does, "works with token ") {
				pods = append(pods, pod)
			}
		}
		return pods
	}
	harness.Throughout(t, 5*time.Second, "one pod works, and no other", func() bool { return len(works()) == 1 })
	leader := works()[0]
	if holder := l.Kubectl(t, namespace, "get", "leases", "acme-752b7817f6", "-o", "jsonpath={.spec.holderIdentity}"); !strings.HasPrefix(holder, leader+"_") {
		t.Errorf("%s works, the Lease names %s", leader, holder)
	}
	l.Kubectl(t, namespace, "delete", "pod", leader, "--wait=false")
	harness.Eventually(t, takeover, "another pod works", func() bool {
		pods := works()
		return len(pods) == 1 && pods[0] != leader
	})
}

// readmeSteps are the commands of the README's section, one after the other, and what the last one is to show, which follows the logs.
func readmeSteps(t *testing.T, root string) (steps []docs.Step) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(text), "\n## Put it into a pod\n")
	section, _, _ = strings.Cut(section, "\n## ")
	blocks, faults := docs.Read(section, func(string) bool { return false })
	if len(blocks) != 1 || blocks[0].Kind != docs.Run || len(faults) > 0 {
		t.Fatalf("the README's section has %d blocks that run, want one: %v (%v)", len(blocks), blocks, faults)
	}
	commands := strings.Split(blocks[0].Text, "\n")
	if n := len(commands) + strings.Count(blocks[0].Text, " && "); n > newUsersCommands {
		t.Errorf("the README has %d commands, want at most %d", n, newUsersCommands)
	}
	for _, command := range commands {
		steps = append(steps, docs.Step{Kind: docs.Run, Terminal: 1, Text: command})
	}
	steps[len(steps)-1].Kind = docs.Start
	return append(steps, docs.Step{Kind: docs.Shows, Terminal: 1, Text: "[pod/web-…/web] works with token …"})
}
