//go:build linux

package dir_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/lease-sidecar/lease-sidecar/pkg/lease"
	"github.com/lease-sidecar/lease-sidecar/pkg/lease/dir"
)

// FuzzFiles puts bytes where the store keeps the Lease and its ledger. Whatever they are, the store says that it cannot
// read them, and leaves the Lease's file as it is, or it gives the Lease a version and a UID that every process sees
// alike, that reading does not change, and that a write builds on.
func FuzzFiles(f *testing.F) {
	const head = `{"kind":"Lease","apiVersion":"coordination.k8s.io/v1","metadata":{"resourceVersion":"4","uid":"u1"},`
	f.Add([]byte(head+`"spec":{"holderIdentity":"a_1","renewTime":"2026-11-22T10:00:00.123456Z"}}`), []byte(nil))
	f.Add([]byte(head+`"spec":{"holderIdentity":"a_1"}}`), []byte(`{"resourceVersion":"4","present":`+head+`"spec":{"holderIdentity":"b_1"}}}`))
	f.Add([]byte(head+`"spec":{}}`), []byte(`{"resourceVersion":"9","deleted":`+head+`"spec":{}}}`))
	f.Add([]byte(head+`"spec":{}}`), []byte(`{"resourceVersion":"9","present":{"metadata":{"uid":"u1","resourceVersion":"x"}}}`))
	f.Add([]byte(head+`"spec":{"renewTime":"9999-12-31T23:59:59.999999-23:59"}}`), []byte(nil))
	f.Add([]byte(head+`"spec":{"acquireTime":"9999-12-31T23:59:59.999999-23:59"}}`), []byte(nil))
	f.Add([]byte(nil), []byte(`{"resourceVersion":"9","present":`+head+`"spec":{}}}`))
	f.Add([]byte(head+`"spec":{}}`), []byte(`{"resourceVersion":"9"}`))
	f.Add([]byte(`{"kind":"Lease","apiVersion":"coordination.k8s.io/v1","metadata":{"name":"other","namespace":"default"}}`), []byte(nil))
	f.Add([]byte("{"), []byte("{"))
	f.Add([]byte(`{"kind":"Lease","apiVersion":"coordination.k8s.io/v1"}`), []byte(nil)) // as a person prepares an election
	f.Add([]byte(`{"kind":"Lease","apiVersion":"coordination.k8s.io/v1"}`), []byte(`{"resourceVersion":"`+strings.Repeat("9", 99)+`"}`))
	f.Fuzz(func(t *testing.T, leaseBytes, ledgerBytes []byte) {
		path := t.TempDir()
		for file, content := range map[string][]byte{leaseFile: leaseBytes, ledgerFile: ledgerBytes} {
			if len(content) > 0 {
				write(t, path, file, string(content))
			}
		}
		store := open(t, path, name)
		ctx := bounded(t)
		reply, err := store.Get(ctx)
		switch {
		case errors.Is(err, lease.ErrNotFound):
			if len(leaseBytes) > 0 {
				t.Fatal("there is a file, and the Lease is not found")
			}
			return
		case err != nil:
			if now := content(t, path); !bytes.Equal(now, leaseBytes) {
				t.Fatalf("%v, and the file that it does not understand is now %s", err, now)
			}
			return
		}
		checkOrigin(t, leaseBytes, ledgerBytes, reply)
		checkOneVersion(t, path, store, reply)
		checkWrite(t, path, store, reply)
	})
}

func content(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(path, leaseFile))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	return b
}

// checkOrigin asks that the Lease is the one that was asked for, past what a ledger without a Lease has counted to.
func checkOrigin(t *testing.T, leaseBytes, ledgerBytes []byte, r lease.Record) {
	t.Helper()
	var o struct {
		Kind     string
		Metadata struct{ Name, Namespace string }
	}
	if json.Unmarshal(leaseBytes, &o) == nil && (o.Kind != "Lease" || o.Metadata.Name != "" && o.Metadata.Name != name) {
		t.Fatalf("%s is read as this Lease", leaseBytes)
	}
	var counted map[string]string
	if json.Unmarshal(ledgerBytes, &counted) != nil || len(counted) != 1 {
		return
	}
	if v, err := lease.ParseVersion(counted["resourceVersion"]); err == nil && r.Version.Compare(v) <= 0 {
		t.Fatalf("version %s after a ledger that counted to %s", r.Version, v)
	}
}

// checkOneVersion asks the same store again, another process's, and a watch: all must see one version.
func checkOneVersion(t *testing.T, path string, store *dir.Store, r lease.Record) {
	t.Helper()
	if _, err := lease.ParseVersion(string(r.Version)); err != nil || r.UID == "" {
		t.Fatalf("version %q, UID %q: %v", r.Version, r.UID, err)
	}
	for who, s := range map[string]*dir.Store{"the same store": store, "another process": open(t, path, name)} {
		again, err := s.Get(bounded(t))
		if err != nil {
			t.Fatalf("%s: %v", who, err)
		}
		if diff := cmp.Diff(r, again, cmpopts.IgnoreUnexported(lease.Record{})); diff != "" {
			t.Fatalf("%s reads (-first +again):\n%s", who, diff)
		}
	}
	ctx, cancel := context.WithCancelCause(bounded(t))
	enough := errors.New("enough")
	err := store.Watch(ctx, "", nil, func(e lease.Event) {
		cancel(enough)
		if e.Deleted || e.Record.Version != r.Version {
			t.Errorf("the watch begins with %+v, a read with version %s", e, r.Version)
		}
	})
	if !errors.Is(context.Cause(ctx), enough) {
		t.Fatalf("the watch delivered nothing: %v", err)
	}
}

// checkWrite takes the Lease, and asks another process for what is there then.
func checkWrite(t *testing.T, path string, store *dir.Store, r lease.Record) {
	t.Helper()
	taken := r
	taken.Holder, taken.RenewTime = "web-0_fuzz", time.Date(2026, 11, 22, 10, 0, 0, 5000, time.UTC)
	reply, err := store.Update(bounded(t), taken)
	if err != nil {
		t.Fatalf("take what was read: %v", err)
	}
	if reply.Version.Compare(r.Version) <= 0 || reply.UID != r.UID {
		t.Fatalf("written as version %s of %s after version %s of %s", reply.Version, reply.UID, r.Version, r.UID)
	}
	again, err := open(t, path, name).Get(bounded(t))
	if err != nil || again.Version != reply.Version || again.Holder != taken.Holder {
		t.Fatalf("another process reads %+v, %v after %+v", again, err, reply)
	}
	if _, err := store.Update(bounded(t), taken); !errors.Is(err, lease.ErrConflict) {
		t.Fatalf("a second write on version %s: %v", r.Version, err)
	}
	if !json.Valid(content(t, path)) {
		t.Fatalf("it wrote %s", content(t, path))
	}
}
