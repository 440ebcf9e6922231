package repo

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const module = "github.com/lease-sidecar/lease-sidecar"

var (
	// kubernetes is what a workload that reads its leadership must not be made to build.
	kubernetes = []string{"k8s.io", "sigs.k8s.io"}
	// client is the Kubernetes client; the stores' own business.
	client = []string{"k8s.io/client-go"}
	// unshipped does not belong in the binary: what imports every API group (twice the size), the elector that we
	// do not use (docs/adr/0001-own-elector.md), and what only tests need.
	unshipped = []string{
		"k8s.io/client-go/kubernetes", "k8s.io/client-go/informers", "k8s.io/client-go/tools/leaderelection", "testing",
	}
)

// fences is the picture of who may import whom, room by room. The first that covers a package counts.
var fences = []fence{
	{room: "pkg/bootclock", never: kubernetes},
	{room: "pkg/bootclock/clocktest", of: []string{"pkg/bootclock"}, never: kubernetes},
	{room: "pkg/naming", of: []string{"pkg/field"}, never: kubernetes},
	{room: "pkg/leadership", of: []string{"pkg/bootclock"}, never: kubernetes},
	{room: "pkg/leadership/leadershiptest", of: []string{"pkg/leadership", "pkg/bootclock"}, never: kubernetes},
	{room: "pkg/lease", of: []string{"pkg/naming"}, never: client},
	{room: "pkg/lease/internal/...", of: []string{"pkg/lease", "pkg/naming"}, never: client},
	{room: "pkg/lease/storetest", of: []string{"pkg/lease", "pkg/lease/memory", "pkg/naming"}, never: client},
	{room: "pkg/lease/memory", of: []string{"pkg/lease", "pkg/lease/internal/...", "pkg/naming", "pkg/bootclock"}, never: client},
	{room: "pkg/lease/dir", of: []string{"pkg/lease", "pkg/lease/internal/...", "pkg/naming", "pkg/bootclock"}, never: client},
	{room: "pkg/apiserver", never: kubernetes},
	{room: "pkg/lease/kube", of: []string{"pkg/lease", "pkg/lease/internal/...", "pkg/apiserver"}, never: unshipped},
	{room: "pkg/elector", of: []string{"internal/trouble", "pkg/lease", "pkg/leadership", "pkg/naming", "pkg/bootclock", "pkg/field"}, never: client},
	{room: "pkg/signals", of: []string{"internal/trouble", "pkg/leadership", "pkg/bootclock"}, never: kubernetes},
	{room: "pkg/signals/podlabel", of: []string{"pkg/signals", "pkg/field", "pkg/apiserver", "pkg/leadership", "pkg/bootclock"}, never: kubernetes},
	{room: "pkg/signals/webhook", of: []string{"pkg/signals", "pkg/field", "pkg/leadership", "pkg/bootclock"}, never: kubernetes},
	{room: "pkg/signals/event", of: []string{"pkg/signals", "pkg/apiserver", "pkg/leadership", "pkg/bootclock"}, never: kubernetes},
	{room: "pkg/signals/process", of: []string{"internal/guard", "internal/killtime", "internal/procfs", "internal/sight", "internal/trouble", "pkg/signals", "pkg/leadership", "pkg/bootclock", "pkg/field"}, never: kubernetes},
	{room: "pkg/field", never: kubernetes},
	{room: "pkg/signals/file", of: []string{"pkg/signals", "pkg/leadership", "pkg/bootclock"}, never: kubernetes},
	{room: "pkg/signals/child", of: []string{"pkg/signals", "internal/guard", "internal/killtime", "internal/procfs", "internal/sight", "pkg/leadership", "pkg/bootclock"}, never: kubernetes},
	{room: "cmd/...", of: []string{"pkg/...", "internal/..."}, never: unshipped},
	{room: "internal/guard/guardtest", never: kubernetes},
	{room: "internal/sight/sighttest", of: []string{"internal/sight", "pkg/leadership", "pkg/leadership/leadershiptest", "pkg/bootclock"}, never: kubernetes},
	{room: "internal/transcripttest", never: kubernetes},
	{room: "internal/...", of: []string{"pkg/...", "internal/..."}, never: unshipped},
	{room: "examples/...", of: []string{"pkg/leadership", "pkg/bootclock"}, never: kubernetes},
	{room: "docs/pictures", of: []string{"docs/pictures/svg", "pkg/elector"}, never: client},
	{room: "docs/pictures/svg", never: kubernetes},
	{room: "test/...", of: []string{"..."}},
}

func TestImportsAreAsDrawn(t *testing.T) {
	for _, breach := range breaches(module, fences, list[pkg](t, "-json=ImportPath,Imports,Deps", module+"/...")) {
		t.Errorf("%s; go doc ./test/repo shows the picture", breach)
	}
}

func TestBreaches(t *testing.T) {
	fences := []fence{
		{room: "pkg/lease", of: []string{"pkg/naming"}},
		{room: "pkg/naming", never: []string{"k8s.io"}},
		{room: "cmd/...", of: []string{"pkg/..."}},
		{room: "test/...", of: []string{"..."}},
	}
	tests := map[string]struct {
		pkg  pkg
		want []string
	}{
		"a drawn import": {
			pkg: pkg{ImportPath: "m/pkg/lease", Imports: []string{"fmt", "m/pkg/naming"}, Deps: []string{"k8s.io/api"}},
		},
		"against the arrow": {
			pkg:  pkg{ImportPath: "m/pkg/naming", Imports: []string{"m/pkg/lease"}},
			want: []string{"pkg/naming imports pkg/lease"},
		},
		"a fence covers its own room only": {
			pkg:  pkg{ImportPath: "m/pkg/lease/kube", Imports: []string{"m/pkg/naming"}},
			want: []string{"pkg/lease/kube has no fence: give it one in test/repo"},
		},
		"an allowed room does not let in what lies below": {
			pkg:  pkg{ImportPath: "m/pkg/lease", Imports: []string{"m/pkg/naming/deep"}},
			want: []string{"pkg/lease imports pkg/naming/deep"},
		},
		"forbidden, reached through another": {
			pkg:  pkg{ImportPath: "m/pkg/naming", Imports: []string{"x.org/y"}, Deps: []string{"k8s.io/api/core/v1", "x.org/y"}},
			want: []string{"pkg/naming reaches k8s.io/api/core/v1"},
		},
		"a path that only begins alike": {
			pkg: pkg{ImportPath: "m/pkg/naming", Deps: []string{"k8s.iox/api"}},
		},
		"below a covered room": {
			pkg: pkg{ImportPath: "m/cmd/tool", Imports: []string{"m/pkg/lease", "m/pkg/naming"}},
		},
		"anything goes in tests": {
			pkg: pkg{ImportPath: "m/test/integration", Imports: []string{"m/cmd/tool"}},
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, breaches("m", fences, []pkg{tc.pkg})); diff != "" {
				t.Errorf("breaches (-want +got):\n%s", diff)
			}
		})
	}
}

// list has the go command list packages as they are built for Linux, each as a T, whose fields are the go command's.
func list[T any](t *testing.T, args ...string) []T {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", append([]string{"list"}, args...)...)
	cmd.Env = append(os.Environ(), "GOOS=linux", "CGO_ENABLED=0")
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		t.Fatalf("go list %v: %v\n%s", args, err, stderr.String())
	}
	var listed []T
	for decoder := json.NewDecoder(&stdout); ; {
		var one T
		if err := decoder.Decode(&one); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatalf("read the go command's list: %v", err)
		}
		listed = append(listed, one)
	}
	if len(listed) == 0 {
		t.Fatal("the go command listed no packages")
	}
	return listed
}
