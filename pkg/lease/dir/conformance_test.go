//go:build linux

package dir_test

import (
	"encoding/json"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"go.uber.org/goleak"
	coordinationv1 "k8s.io/api/coordination/v1"

	"github.com/lease-sidecar/lease-sidecar/pkg/lease"
	"github.com/lease-sidecar/lease-sidecar/pkg/lease/dir"
	"github.com/lease-sidecar/lease-sidecar/pkg/lease/storetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	namespace = "default"
	name      = "acme-752b7817f6"
)

func TestConformance(t *testing.T) {
	storetest.Run(t, func(t *testing.T) storetest.Fixture {
		path := t.TempDir()
		return storetest.Fixture{
			Name:  name,
			Open:  func(t *testing.T, name string) lease.Store { return open(t, path, name) },
			Admin: hand{path},
		}
	})
}

func TestMembersConformance(t *testing.T) {
	storetest.RunMembers(t, func(t *testing.T) storetest.MembersFixture {
		path := t.TempDir()
		return storetest.MembersFixture{
			Election: name,
			Open: func(t *testing.T, election string) lease.Members {
				t.Helper()
				members, err := dir.NewMembers(path, namespace, election, slog.New(slog.DiscardHandler))
				if err != nil {
					t.Fatalf("new members: %v", err)
				}
				return members
			},
			Admin: hand{path},
		}
	})
}

func open(t *testing.T, path, name string) *dir.Store {
	t.Helper()
	store, err := dir.New(path, namespace, name, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatalf("new store: %v", err)
	}
	return store
}

// hand does what a person would do to the files, with an editor and rm.
type hand struct{ path string }

func (h hand) file(name string) string { return filepath.Join(h.path, namespace+"."+name+".json") }

func (h hand) Read(t *testing.T, name string) *coordinationv1.Lease {
	t.Helper()
	data, err := os.ReadFile(h.file(name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	o := &coordinationv1.Lease{}
	if err = errors.Join(err, json.Unmarshal(data, o)); err != nil {
		t.Fatalf("read %s: %v", name, err)
	}
	return o
}

func (h hand) Edit(t *testing.T, name string, edit func(*coordinationv1.Lease)) {
	t.Helper()
	o := h.Read(t, name)
	edit(o)
	data, err := json.Marshal(o)
	if err != nil {
		t.Fatalf("encode %s: %v", name, err)
	}
	if err := os.WriteFile(h.file(name), data, 0o600); err != nil { // in place
		t.Fatalf("write %s: %v", name, err)
	}
}

func (h hand) Delete(t *testing.T, name string) {
	t.Helper()
	if err := os.Remove(h.file(name)); err != nil {
		t.Fatalf("delete %s: %v", name, err)
	}
}
