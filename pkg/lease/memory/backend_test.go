package memory_test

import (
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
	storetest.Run(t, func(*testing.T) storetest.Fixture {
		backend := memory.New()
		return storetest.Fixture{
			Name:    "acme-752b7817f6",
			Open:    func(_ *testing.T, name string) lease.Store { return backend.Store("default", name) },
			Admin:   storetest.BackendAdmin{Backend: backend, Namespace: "default"},
			History: true,
		}
	})
}

func TestMembersConformance(t *testing.T) {
	storetest.RunMembers(t, func(*testing.T) storetest.MembersFixture {
		backend := memory.New()
		return storetest.MembersFixture{
			Election: "acme-752b7817f6",
			Open:     func(_ *testing.T, election string) lease.Members { return backend.Members("default", election) },
			Admin:    storetest.BackendAdmin{Backend: backend, Namespace: "default"},
			History:  true,
		}
	})
}

func TestChangesAreNotifiedInOrder(t *testing.T) {
	backend, store, made := seed(t)
	var got []string
	backend.Changes(func(e lease.Event) {
		text := string(e.Record.Version) + " " + e.Record.Holder
		if e.Deleted {
			text = string(e.Record.Version) + " deleted"
		}
		got = append(got, text)
	})
	take(t, store, made)
	backend.Delete("default", "acme-1")
	if want := []string{"2 a_1", "3 deleted"}; !slices.Equal(got, want) {
		t.Errorf("notified of %q, want %q", got, want)
	}
}

func TestAdvanceLetsVersionsPass(t *testing.T) {
	backend, store, made := seed(t)
	backend.Advance(40)
	if got := take(t, store, made); got != "42" {
		t.Errorf("updated to version %q; want 42: a version that passed elsewhere is no conflict", got)
	}
}

func TestHalfOpenSilencesOnlyTheOpenWatches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		backend, store, made := seed(t)
		var old, fresh int
		go watchOnce(t, store, made.Version, func() { old++ })
		synctest.Wait()
		store.HalfOpen()
		go watchOnce(t, store, made.Version, func() { fresh++ })
		synctest.Wait()
		take(t, backend.Store("default", "acme-1"), made)
		time.Sleep(time.Minute)
		synctest.Wait()
		if old != 0 || fresh != 1 {
			t.Errorf("the half-open watch brought %d changes, the one after it %d; want 0 and 1", old, fresh)
		}
		time.Sleep(2 * time.Minute) // both end
	})
}
