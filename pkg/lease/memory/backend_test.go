package memory_test

import (
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/lease-sidecar/lease-sidecar/pkg/lease"
	"github.com/lease-sidecar/lease-sidecar/pkg/lease/memory"
	"github.com/lease-sidecar/lease-sidecar/pkg/lease/storetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestConformance(t *testing.T) {
	storetest.Run(t, func(t *testing.T) storetest.Fixture {
		backend := memory.New()
		t.Cleanup(backend.Close)
		return storetest.Fixture{
			Name:    "acme-752b7817f6",
			Open:    func(_ *testing.T, name string) lease.Store { return backend.Store("default", name) },
			Admin:   storetest.BackendAdmin{Backend: backend, Namespace: "default"},
			History: true,
		}
	})
}

func TestChangesAreNotifiedInOrder(t *testing.T) {
	backend := memory.New()
	store := backend.Store("default", "acme-1")
	var got []string
	backend.Changes(func(e lease.Event) {
		text := string(e.Record.Version) + " " + e.Record.Holder
		if e.Deleted {
			text = string(e.Record.Version) + " deleted"
		}
		got = append(got, text)
	})
	made := mustCreate(t, store)
	made.Holder = "a_1"
	if _, err := store.Update(t.Context(), made); err != nil {
		t.Fatalf("update: %v", err)
	}
	backend.Delete("default", "acme-1")
	if want := []string{"1 ", "2 a_1", "3 deleted"}; !slices.Equal(got, want) {
		t.Errorf("notified of %q, want %q", got, want)
	}
}

func TestAdvanceLetsVersionsPass(t *testing.T) {
	backend := memory.New()
	store := backend.Store("default", "acme-1")
	made := mustCreate(t, store)
	backend.Advance(40)
	made.Holder = "a_1"
	got, err := store.Update(t.Context(), made)
	if err != nil || got.Version != "42" {
		t.Errorf("updated to version %q, %v; want 42: a version that passed elsewhere is no conflict", got.Version, err)
	}
}

func TestFatesOfWritesThatAreAppliedAllTheSame(t *testing.T) {
	for _, c := range []struct {
		name       string
		fate       memory.Fate
		wantErr    error
		wantHolder string
		wantAt     time.Duration
	}{
		{"refused", memory.Fate{Err: errStorm}, errStorm, "", 0},
		{"refused, yet applied", memory.Fate{Err: errStorm, Applied: true}, errStorm, "a_1", 0},
		{"sent twice", memory.Fate{Again: time.Second}, lease.ErrConflict, "a_1", time.Second},
		{"sent twice, late", memory.Fate{Delay: time.Second, Again: time.Second}, lease.ErrConflict, "a_1", 2 * time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				backend := memory.New()
				defer backend.Close()
				store := backend.Store("default", "acme-1")
				made := mustCreate(t, store)
				store.Faults(func(memory.Request) memory.Fate { return c.fate })
				start := time.Now()
				made.Holder = "a_1"
				if _, err := store.Update(t.Context(), made); !errors.Is(err, c.wantErr) {
					t.Errorf("update: error %v, want %v", err, c.wantErr)
				}
				if got := time.Since(start); got != c.wantAt {
					t.Errorf("answered after %v, want %v", got, c.wantAt)
				}
				if got := *backend.Read("default", "acme-1").Spec.HolderIdentity; got != c.wantHolder {
					t.Errorf("holder %q, want %q", got, c.wantHolder)
				}
			})
		})
	}
}

func TestHalfOpenSilencesOnlyTheOpenWatches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		backend := memory.New()
		defer backend.Close()
		store := backend.Store("default", "acme-1")
		made := mustCreate(t, store)
		var old, fresh int
		go watchOnce(t, store, made.Version, func() { old++ })
		synctest.Wait()
		store.HalfOpen()
		go watchOnce(t, store, made.Version, func() { fresh++ })
		synctest.Wait()
		made.Holder = "a_1"
		if _, err := backend.Store("default", "acme-1").Update(t.Context(), made); err != nil {
			t.Fatalf("update: %v", err)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if old != 0 || fresh != 1 {
			t.Errorf("the half-open watch brought %d changes, the one after it %d; want 0 and 1", old, fresh)
		}
		time.Sleep(2 * time.Minute) // both end
	})
}
