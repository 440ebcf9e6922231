//go:build linux

package e2e

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lease-sidecar/lease-sidecar/test/e2e/lab"
)

// TestRights compares what the example's account may do with what an account may do that has no rights.
func TestRights(t *testing.T) {
	t.Parallel()
	w := lab.Deploy(t, lab.Shared(t), lab.App{Replicas: 1})
	may := func(account string) (lines []string) {
		list := w.Kubectl("auth", "can-i", "--list", "--as=system:serviceaccount:"+w.Namespace+":"+account,
			"--as-group=system:serviceaccounts", "--as-group=system:authenticated", "--no-headers")
		for line := range strings.Lines(list) {
			lines = append(lines, strings.Join(strings.Fields(line), " "))
		}
		return lines
	}
	nothing := may("default")
	more := slices.DeleteFunc(may("web"), func(line string) bool { return slices.Contains(nothing, line) })
	want := []string{"leases.coordination.k8s.io [] [acme-752b7817f6] [get watch update]"}
	if diff := cmp.Diff(want, more); diff != "" || len(nothing) == 0 {
		t.Errorf("what the account may do (-documented +is):\n%s", diff)
	}
}
