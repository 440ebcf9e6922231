//go:build linux

package e2e

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/lease-sidecar/lease-sidecar/test/e2e/lab"
	"github.com/lease-sidecar/lease-sidecar/test/harness"
	"github.com/lease-sidecar/lease-sidecar/test/workload/docs"
)

// A new user has a cluster and the repository, and copies at most this many commands from the README until a workload with a leader runs.
const newUsersCommands = 5

// TestReadme plays the README's commands for a pod as they stand, in a namespace of the strictest Pod Security standard. The last one
// shows the logs: one pod works. The test deletes that pod, as the README says, and another one works.
func TestReadme(t *testing.T) {
	t.Parallel()
	l := lab.Shared(t)
	root := harness.ModuleRoot(t)
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
	var steps []docs.Step
	for i, command := range commands {
		kind := docs.Run
		if i == len(commands)-1 {
			kind = docs.Start // it follows the logs
		}
		steps = append(steps, docs.Step{Kind: kind, Terminal: 1, Text: command})
	}
	steps = slices.Concat(steps, []docs.Step{
		{Kind: docs.Shows, Terminal: 1, Text: "[pod/web-…/web] works with token …"},
		{Kind: docs.Run, Terminal: 2, Text: `kubectl delete pod "$(kubectl get lease acme-752b7817f6 -o jsonpath='{.spec.holderIdentity}' | cut -d_ -f1)" --wait=false`},
		{Kind: docs.Shows, Terminal: 1, Text: "[pod/web-…/web] stops\n[pod/web-…/web] works with token …"},
		{Kind: docs.Keys, Terminal: 1},
		{Kind: docs.Ends, Terminal: 1},
		{Kind: docs.Run, Terminal: 1, Text: "kubectl delete -f examples/manifests/web.yaml --grace-period=1"},
	})
	namespace := l.Namespace(t, lab.Restricted())
	t.Cleanup(func() {
		l.LateKubectl(t, namespace, "delete", "deployment", "web", "--ignore-not-found", "--wait=false")
	})
	if err := docs.Play(steps, root, l.Reader(t, namespace)); err != nil {
		t.Error(err)
	}
}
