//go:build linux

package dir_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
	coordinationv1 "k8s.io/api/coordination/v1"

	"github.com/lease-sidecar/lease-sidecar/pkg/lease"
	"github.com/lease-sidecar/lease-sidecar/pkg/lease/dir"
)

const (
	ledgerFile = ".default.acme-752b7817f6.ledger.json"
	lockFile   = ".default.acme-752b7817f6.lock"
	tempFile   = ".default.acme-752b7817f6.tmp"
	leaseFile  = "default.acme-752b7817f6.json"
)

// seed makes a Lease with a few versions in a new directory.
func seed(t *testing.T) (path string, r lease.Record) {
	t.Helper()
	path = t.TempDir()
	store := open(t, path, name)
	reply, err := store.Create(bounded(t), lease.Record{})
	for i := range 3 {
		if err != nil {
			t.Fatalf("seed: %v", err)
		}
		reply.Holder = fmt.Sprint("a_", i)
		reply, err = store.Update(bounded(t), reply)
	}
	return path, reply
}

func bounded(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	t.Cleanup(cancel)
	return ctx
}

// TestVersionsSurvive loses one of the store's files, or what somebody did to it, between two processes.
func TestVersionsSurvive(t *testing.T) {
	for _, c := range []struct {
		name string
		lose func(t *testing.T, path string)
	}{
		{"restart", func(*testing.T, string) {}},
		{"the ledger removed", func(t *testing.T, path string) { remove(t, path, ledgerFile) }},
		{"the ledger torn", func(t *testing.T, path string) { write(t, path, ledgerFile, `{"resourceV`) }},
		{"the ledger empty", func(t *testing.T, path string) { write(t, path, ledgerFile, "") }},
		{"the ledger older", func(t *testing.T, path string) { write(t, path, ledgerFile, `{"resourceVersion":"1"}`) }},
		{"the lock removed", func(t *testing.T, path string) { remove(t, path, lockFile) }},
		{"a write cut off", func(t *testing.T, path string) { write(t, path, tempFile, `{"kind":"Lea`) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			path, last := seed(t)
			c.lose(t, path)
			store := open(t, path, name)
			got, err := store.Get(bounded(t))
			if err != nil || got.Version != last.Version || got.UID != last.UID {
				t.Fatalf("get: %+v, %v; want version %s of %s", got, err, last.Version, last.UID)
			}
			got.Holder = "b_2"
			got, err = store.Update(bounded(t), got)
			if err != nil || got.Version.Compare(last.Version) <= 0 {
				t.Errorf("update: version %s, %v; want one past %s", got.Version, err, last.Version)
			}
			hand{path}.Delete(t, name)
			made, err := open(t, path, name).Create(bounded(t), lease.Record{})
			if err != nil || made.Version.Compare(got.Version) <= 0 {
				t.Errorf("created again at version %s, %v; want one past %s", made.Version, err, got.Version)
			}
		})
	}
}

// TestRunningStoreOutlivesItsFiles removes or puts back everything under a running process: its versions go on
// rising from the highest that it knows.
func TestRunningStoreOutlivesItsFiles(t *testing.T) {
	path, last := seed(t)
	store := open(t, path, name)
	if _, err := store.Get(bounded(t)); err != nil {
		t.Fatalf("get: %v", err)
	}
	remove(t, path, ledgerFile)
	remove(t, path, leaseFile)
	made, err := store.Create(bounded(t), lease.Record{})
	if err != nil || made.Version.Compare(last.Version) <= 0 || made.UID == last.UID {
		t.Errorf("created again as version %s of %s, %v; want one past %s", made.Version, made.UID, err, last.Version)
	}
}

func TestFileThatIsNoLease(t *testing.T) {
	for _, c := range []struct{ name, content string }{
		{"empty", ""},
		{"torn", `{"kind":"Lease","apiVersion":"coordination.k8s.io/v1","metadata":{"na`},
		{"text", "hello"},
		{"no kind", `{}`},
		{"another kind", `{"kind":"Pod","apiVersion":"v1"}`},
		{"another version", `{"kind":"Lease","apiVersion":"coordination.k8s.io/v2"}`},
		{"another name", `{"kind":"Lease","apiVersion":"coordination.k8s.io/v1","metadata":{"name":"x","namespace":"default"}}`},
		{"another namespace", `{"kind":"Lease","apiVersion":"coordination.k8s.io/v1","metadata":{"name":"acme-752b7817f6","namespace":"x"}}`},
		{"too long", `{"kind":"Lease","apiVersion":"coordination.k8s.io/v1","x":"` + strings.Repeat("x", 2<<20) + `"}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			path, last := seed(t)
			write(t, path, leaseFile, c.content)
			store := open(t, path, name)
			last.Holder = "b_2"
			_, updateErr := store.Update(bounded(t), last)
			_, getErr := store.Get(bounded(t))
			_, createErr := store.Create(bounded(t), lease.Record{})
			watchErr := store.Watch(bounded(t), "", nil, func(e lease.Event) { t.Errorf("delivered %+v", e) })
			for verb, err := range map[string]error{"update": updateErr, "get": getErr, "create": createErr, "watch": watchErr} {
				if err == nil || errors.Is(err, lease.ErrNotFound) {
					t.Errorf("%s: error %v, want the file refused", verb, err)
					continue
				}
				for _, want := range []string{leaseFile, "remove it"} {
					if !strings.Contains(err.Error(), want) {
						t.Errorf("%s: error %q does not say %q", verb, err, want)
					}
				}
			}
			if data, err := os.ReadFile(filepath.Join(path, leaseFile)); err != nil || string(data) != c.content {
				t.Errorf("the file was changed: %.60q, %v", data, err)
			}
			remove(t, path, leaseFile) // the fix
			made, err := store.Create(bounded(t), lease.Record{})
			if err != nil || made.Version.Compare(last.Version) <= 0 {
				t.Errorf("after the fix: version %s, %v; want one past %s", made.Version, err, last.Version)
			}
		})
	}
}

func TestFileThatIsNoFile(t *testing.T) {
	for kind, make := range map[string]func(path string) error{
		"pipe":      func(path string) error { return unix.Mkfifo(path, 0o600) },
		"link":      func(path string) error { return os.Symlink("/etc/passwd", path) },
		"directory": func(path string) error { return os.Mkdir(path, 0o700) },
	} {
		t.Run(kind, func(t *testing.T) {
			path := t.TempDir()
			if err := make(filepath.Join(path, leaseFile)); err != nil {
				t.Fatalf("make: %v", err)
			}
			_, err := open(t, path, name).Get(bounded(t))
			if err == nil || !strings.Contains(err.Error(), "not a regular file") {
				t.Errorf("error %v, want it refused", err)
			}
		})
	}
}

func TestEditByHandIsOneVersion(t *testing.T) {
	path, last := seed(t)
	holder := "admin"
	hand{path}.Edit(t, name, func(o *coordinationv1.Lease) { o.Spec.HolderIdentity = &holder })
	versions := make([]lease.Version, 5)
	var readers sync.WaitGroup
	for i := range versions {
		store := open(t, path, name)
		readers.Go(func() {
			got, err := store.Get(bounded(t))
			if err != nil || got.Holder != holder {
				t.Errorf("get: %+v, %v", got, err)
			}
			versions[i] = got.Version
		})
	}
	readers.Wait()
	if versions = slices.Compact(versions); len(versions) != 1 || versions[0].Compare(last.Version) <= 0 {
		t.Errorf("the edit was read at versions %v, want one past %s", versions, last.Version)
	}
}

func TestReformattingIsNoWrite(t *testing.T) {
	path, last := seed(t)
	hand{path}.Edit(t, name, func(*coordinationv1.Lease) {}) // writes it without its line breaks
	got, err := open(t, path, name).Get(bounded(t))
	if err != nil || got.Version != last.Version {
		t.Errorf("version %s, %v; want %s as before", got.Version, err, last.Version)
	}
}

func TestLockIsWaitedFor(t *testing.T) {
	path, last := seed(t)
	held, err := os.Open(filepath.Join(path, lockFile))
	if err != nil {
		t.Fatalf("open the lock: %v", err)
	}
	defer held.Close()
	if err := unix.Flock(int(held.Fd()), unix.LOCK_EX); err != nil {
		t.Fatalf("lock: %v", err)
	}
	store := open(t, path, name)
	for _, call := range []func(context.Context) error{
		func(ctx context.Context) error { _, err := store.Get(ctx); return err },
		func(ctx context.Context) error { _, err := store.Create(ctx, lease.Record{}); return err },
		func(ctx context.Context) error { _, err := store.Update(ctx, last); return err },
		func(ctx context.Context) error { return store.Watch(ctx, "", nil, func(lease.Event) {}) },
	} {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		if err := call(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("while another holds the lock: error %v, want %v", err, context.DeadlineExceeded)
		}
		cancel()
	}
	done := make(chan error, 1)
	go func() { _, err := store.Get(bounded(t)); done <- err }()
	if err := unix.Flock(int(held.Fd()), unix.LOCK_UN); err != nil {
		t.Fatalf("unlock: %v", err)
	}
	if err := <-done; err != nil {
		t.Errorf("after the lock was released: %v", err)
	}
}

// TestLostDirectoryEndsTheWatch removes the directory under a watch: an absent directory must not pass for an
// absent Lease.
func TestLostDirectoryEndsTheWatch(t *testing.T) {
	path := filepath.Join(t.TempDir(), "leases")
	store := open(t, path, name)
	if _, err := store.Create(bounded(t), lease.Record{}); err != nil {
		t.Fatalf("create: %v", err)
	}
	err := store.Watch(bounded(t), "", nil, func(lease.Event) {
		if err := os.RemoveAll(path); err != nil {
			t.Errorf("remove: %v", err)
		}
	})
	if err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("the watch ended with %v, want an error that names the directory", err)
	}
	if _, err := store.Get(bounded(t)); err == nil || errors.Is(err, lease.ErrNotFound) {
		t.Errorf("get: error %v, want the directory's absence, which is not the Lease's", err)
	}
}

func TestFilesTakeTheDirectorysMode(t *testing.T) {
	old := unix.Umask(0o077)
	defer unix.Umask(old)
	for mode, want := range map[os.FileMode]os.FileMode{0o700: 0o600, 0o755: 0o644, 0o777: 0o666, 0o770: 0o660} {
		path := t.TempDir()
		if err := os.Chmod(path, mode); err != nil {
			t.Fatalf("chmod: %v", err)
		}
		if _, err := open(t, path, name).Create(bounded(t), lease.Record{}); err != nil {
			t.Fatalf("create: %v", err)
		}
		for _, file := range []string{leaseFile, ledgerFile, lockFile} {
			info, err := os.Stat(filepath.Join(path, file))
			if err != nil || info.Mode().Perm() != want {
				t.Errorf("in a directory of %v, %s has %v, %v; want %v", mode, file, info.Mode().Perm(), err, want)
			}
		}
	}
}

func TestNewMakesTheDirectory(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a", "b")
	open(t, path, name)
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("made with %v, %v; want 0700", info, err)
	}
}

func TestNewRefuses(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	write(t, filepath.Dir(file), "file", "")
	for _, c := range []struct{ name, path, namespace, lease, want string }{
		{"a file", file, namespace, name, "name another directory"},
		{"a kernel's directory", "/proc/self/net", namespace, name, "/proc"},
		{"a bad namespace", t.TempDir(), "../etc", name, "../etc"},
		{"a bad name", t.TempDir(), namespace, "a/b", "a/b"},
		{"no name", t.TempDir(), namespace, "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := dir.New(c.path, c.namespace, c.lease, slog.New(slog.DiscardHandler))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want one that says %q", err, c.want)
			}
		})
	}
}

func TestLostLedgerIsLogged(t *testing.T) {
	path, _ := seed(t)
	write(t, path, ledgerFile, "{")
	var log bytes.Buffer
	store, err := dir.New(path, namespace, name, slog.New(slog.NewTextHandler(&log, nil)))
	if err != nil {
		t.Fatalf("new store: %v", err)
	}
	for range 2 {
		if _, err := store.Get(bounded(t)); err != nil {
			t.Fatalf("get: %v", err)
		}
	}
	if got := strings.Count(log.String(), ledgerFile); got != 1 {
		t.Errorf("logged %d times, want once, as it was written again:\n%s", got, log.String())
	}
}

func remove(t *testing.T, path, file string) {
	t.Helper()
	if err := os.Remove(filepath.Join(path, file)); err != nil {
		t.Fatalf("remove: %v", err)
	}
}

func write(t *testing.T, path, file, content string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(path, file), []byte(content), 0o600); err != nil {
		t.Fatalf("write: %v", err)
	}
}
