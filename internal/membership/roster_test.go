package membership

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/lease-sidecar/lease-sidecar/pkg/lease/memory"
)

// TestNotKept counts the members that found no room, not their renewals, and publishes nothing for each of these.
func TestNotKept(t *testing.T) {
	bubble(t, func(f *fleet) {
		a := f.start("web-0", 1, func(c *Config) { c.Most = 3 })
		wait(time.Second) // it knows its own Lease, which always has room
		for i := range 5 {
			f.start(fmt.Sprintf("web-%d", 1+i), 1)
		}
		wait(5 * time.Minute)
		got := a.Roster().Counts()
		if got.Live != 3 || got.NotKept != 3 {
			t.Errorf("counts %+v, want 3 live and 3 not kept", got)
		}
	})
}

// TestSeekBeforeTheList: a leader that has just begun, and has not read who is there, refuses nobody; where it cannot read that, it
// answers all the same.
func TestSeekBeforeTheList(t *testing.T) {
	bubble(t, func(f *fleet) {
		live := f.start("web-0", 1)
		wait(5 * time.Second)
		late, blind := f.start("web-1", 1), f.start("web-2", 1)
		late.conn.Faults(func(v memory.Verb) memory.Fate {
			if v == memory.List {
				return memory.Fate{Delay: 3 * time.Second}
			}
			return memory.Fate{}
		})
		blind.conn.Faults(func(v memory.Verb) memory.Fate {
			if v == memory.List {
				return memory.Fate{Err: errors.New("no list")}
			}
			return memory.Fate{}
		})
		want := func(r *replica, want ...string) {
			t.Helper()
			r.mu.Lock()
			defer r.mu.Unlock()
			if !slices.Equal(r.found, want) {
				t.Errorf("%s answered %q, want %q", r.identity, r.found, want)
			}
		}
		late.Seek("web-0")
		blind.Seek("web-0")
		want(late)
		want(blind)
		wait(15 * time.Second)
		want(late, "web-0: "+live.identity)
		want(blind)
		wait(40 * time.Second)
		want(blind, "web-0: the members could not be listed yet")
	})
}
