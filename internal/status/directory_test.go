package status

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock/clocktest"
	"github.com/lease-sidecar/lease-sidecar/pkg/lease/kube"
)

func put(t *testing.T, dir, name string, o coordinationv1.Lease) {
	t.Helper()
	o.TypeMeta = metav1.TypeMeta{Kind: "Lease", APIVersion: "coordination.k8s.io/v1"}
	text, err := json.Marshal(&o)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestDirectory reads what a store's directory may hold, and reports what it cannot read.
func TestDirectory(t *testing.T) {
	dir := t.TempDir()
	put(t, dir, "shop.acme-752b7817f6.json", leaseOf())
	put(t, dir, "other.x.y.json", coordinationv1.Lease{}) // by hand, without names
	put(t, dir, ".shop.acme.ledger.json", leaseOf())
	for name, text := range map[string]string{"shop.torn.json": `{"kind":`, "shop.pod.json": `{"kind":"Pod"}`, "notes.txt": "x"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("/etc/passwd", filepath.Join(dir, "link.json")); err != nil {
		t.Fatal(err)
	}
	var warns []string
	d := Directory{Path: dir, Clock: clocktest.Bubble{}, Warn: func(err error) { warns = append(warns, err.Error()) }}
	all, _, err := d.List(t.Context())
	if err != nil || len(all) != 2 || all[0].Namespace != "other" || all[0].Name != "x.y" || all[1].Name != leaseName {
		t.Errorf("%d Leases, %v", len(all), err)
	}
	for i, want := range []string{"link.json: not a regular file", `shop.pod.json: kind "Pod"`, "shop.torn.json: not a Lease in JSON"} {
		if i >= len(warns) || !strings.Contains(warns[i], want) {
			t.Errorf("warnings %q; want %q as number %d", warns, want, i)
		}
	}
	d.Namespace = "shop"
	if all, _, _ := d.List(t.Context()); len(all) != 1 {
		t.Errorf("%d Leases of a namespace, want 1", len(all))
	}
	if _, _, err := (Directory{Path: filepath.Join(dir, "no")}).List(t.Context()); err == nil {
		t.Error("a directory that is not there is read")
	}
}

// TestDirectoryWatch: a write, an edit that changes no version, and a removal are seen.
func TestDirectoryWatch(t *testing.T) {
	dir := t.TempDir()
	const file = "shop.acme-752b7817f6.json"
	put(t, dir, file, leaseOf())
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		var got []string
		done := make(chan error)
		go func() {
			done <- Directory{Path: dir, Clock: clocktest.Bubble{}}.Watch(ctx, "", func(c kube.Change) {
				switch {
				case c.Deleted:
					got = append(got, "removed")
				case c.Lease != nil:
					got = append(got, *c.Lease.Spec.HolderIdentity)
				}
			})
		}()
		for _, act := range []func(){
			func() {}, func() { put(t, dir, file, leaseOf(held("web-1"))) }, func() {}, func() { _ = os.Remove(filepath.Join(dir, file)) },
		} {
			act()
			time.Sleep(2 * lookInterval)
			synctest.Wait()
		}
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("the watch ended with %v", err)
		}
		if diff := cmp.Diff([]string{holder, "web-1", "removed"}, got); diff != "" {
			t.Errorf("changes (-want +got):\n%s", diff)
		}
	})
}
