//go:build linux

package dir_test

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"github.com/lease-sidecar/lease-sidecar/pkg/lease"
	"github.com/lease-sidecar/lease-sidecar/pkg/lease/dir"
	"github.com/lease-sidecar/lease-sidecar/pkg/naming"
)

func members(t *testing.T, path string) *dir.Members {
	t.Helper()
	m, err := dir.NewMembers(path, namespace, name, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func createMember(t *testing.T, m *dir.Members, pod string) lease.Member {
	t.Helper()
	of, err := naming.MemberLeaseName(name, pod)
	if err != nil {
		t.Fatal(err)
	}
	made, err := m.Create(t.Context(), lease.Member{Name: string(of), Holder: pod + "_1", Labels: map[string]string{naming.LabelMemberOf: name}})
	if err != nil {
		t.Fatal(err)
	}
	return made
}

func count(t *testing.T, m *dir.Members) (n int) {
	t.Helper()
	if _, err := m.List(t.Context(), func(lease.Member) { n++ }); err != nil {
		t.Fatal(err)
	}
	return n
}

// TestMembersSurviveABrokenFile breaks the file of one member: the others are as before, and that one is again once it is repaired.
func TestMembersSurviveABrokenFile(t *testing.T) {
	path := t.TempDir()
	m := members(t, path)
	a, b := createMember(t, m, "web-0"), createMember(t, m, "web-1")
	file := filepath.Join(path, namespace+"."+a.Name+".json")
	good, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, broken := range []string{"", "{", "[]", `{"kind":"Pod"}`} {
		if err := os.WriteFile(file, []byte(broken), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := m.Update(t.Context(), a); err == nil {
			t.Errorf("%q: it was written over a file that nobody can read", broken)
		}
		if b, err = m.Update(t.Context(), renewed(b)); err != nil {
			t.Errorf("%q: the other member: %v", broken, err)
		}
	}
	if err := os.WriteFile(file, good, 0o600); err != nil {
		t.Fatal(err)
	}
	if n := count(t, m); n != 2 {
		t.Errorf("%d members, want 2", n)
	}
}

func renewed(m lease.Member) lease.Member {
	m.Transitions++
	return m
}

// TestMembersLoseTheirLedger goes on from the files alone: versions rise on.
func TestMembersLoseTheirLedger(t *testing.T) {
	path := t.TempDir()
	m := members(t, path)
	a := createMember(t, m, "web-0")
	createMember(t, m, "web-1")
	ledgers, err := filepath.Glob(filepath.Join(path, ".*ledger.json"))
	if err != nil || len(ledgers) != 1 {
		t.Fatalf("ledgers %v, %v", ledgers, err)
	}
	for _, content := range []string{"", "{", `{"resourceVersion":"x"}`} {
		if err := os.WriteFile(ledgers[0], []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		fresh := members(t, path)
		if n := count(t, fresh); n != 2 {
			t.Errorf("%q: %d members, want 2", content, n)
		}
		next, err := fresh.Update(t.Context(), renewed(a))
		if err != nil || next.Version.Compare(a.Version) <= 0 {
			t.Fatalf("%q: renewed as %s after %s: %v", content, next.Version, a.Version, err)
		}
		a = next
	}
}

// TestMembersForgetOldDeletions keeps a bounded number of deletions: a watch from before those has to read again.
func TestMembersForgetOldDeletions(t *testing.T) {
	m := members(t, t.TempDir())
	first := createMember(t, m, "web-0")
	for i := range 210 {
		if err := m.Delete(t.Context(), createMember(t, m, fmt.Sprintf("job-%d", i))); err != nil {
			t.Fatal(err)
		}
	}
	err := m.Watch(t.Context(), first.Version, nil, func(lease.MemberEvent) {})
	if !errors.Is(err, lease.ErrExpired) {
		t.Errorf("watch from long ago: %v, want %v", err, lease.ErrExpired)
	}
}
