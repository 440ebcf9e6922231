//go:build linux

package fleet

import (
	"context"
	"fmt"
	"strconv"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"

	"github.com/lease-sidecar/lease-sidecar/pkg/lease"
)

// The functions of this file are what an administrator does to the Lease or to the store. They must not be called under the world's lock.

// edit changes the Lease unconditionally, if there is one.
func (w *world) edit(what string, how func(*coordinationv1.Lease)) {
	w.note("the administrator " + what)
	w.backend.Edit(namespace, leaseName, how)
}

func (w *world) delete() {
	w.note("the administrator deletes the Lease")
	w.backend.Delete(namespace, leaseName)
}

// replace deletes the Lease and creates it again with the same content, as "kubectl replace --force" does.
func (w *world) replace() {
	o := w.backend.Read(namespace, leaseName)
	if o == nil || !w.backend.Delete(namespace, leaseName) {
		return
	}
	w.note("the administrator replaces the Lease")
	if r, err := lease.FromObject(o); err == nil {
		_, _ = w.backend.Store(namespace, leaseName).Create(context.Background(), r)
	}
}

// touch writes to the Lease's metadata often for d: the spec stays, and the version is new each time.
func (w *world) touch(d time.Duration) {
	end := w.now() + d
	w.mu.Lock()
	w.touched = max(w.touched, end)
	w.mu.Unlock()
	touches := 0
	var again func()
	again = func() {
		if w.now() >= end {
			return
		}
		touches++
		w.edit("touches the metadata", func(o *coordinationv1.Lease) {
			if o.Annotations == nil {
				o.Annotations = map[string]string{}
			}
			o.Annotations["example.com/touched"] = fmt.Sprint(touches)
		})
		w.after(w.chance.span(0, "touch", w.now(), 600*time.Millisecond), again)
	}
	again()
}

// putBack writes an old held record over the present one. A released record put back
// byte for byte while a later leader is cut off is a known limit.
func (w *world) putBack() {
	w.mu.Lock()
	if len(w.held) == 0 {
		w.mu.Unlock()
		return
	}
	old := oneOf(w.chance, 0, "put back", w.now(), w.held).Object(namespace, leaseName)
	w.putBacks = true
	w.mu.Unlock()
	w.edit("puts an old held record back", func(o *coordinationv1.Lease) {
		o.Annotations, o.Spec = old.Annotations, old.Spec
	})
}

// restore makes a backup, and d later puts the store back to it. Other objects are written all the time, so that the
// versions after the backup and those after the restore are different numbers: nobody could distinguish two states of one Lease with
// the same number. Before the restore the API is down for more than a lease duration, as a restore stops every API
// server. Without that, a candidate that has seen nothing newer than the backup would take a Lease whose leader's term
// is still valid. While the store gives out versions that were seen before, those who saw them must not
// campaign. Later, writes of other objects raise the version beyond them, and a write to the Lease shows that.
func (w *world) restore(d time.Duration) {
	down := w.cfg.Duration * 11 / 10
	if w.now()+2*d+down+3*w.cfg.Duration > w.plan.End {
		return // it would not be over in time
	}
	w.note("the administrator makes a backup")
	back := w.backend.Backup()
	w.backend.Advance(1000)
	w.after(d, func() { w.apiDown(down) })
	w.after(d+down, func() {
		w.note("the administrator restores the backup")
		w.mu.Lock()
		w.restored, w.putBacks, w.disturbed = true, true, w.now()
		seen := w.newest
		w.newest, w.holder = "", ""
		clear(w.overwritten) // what came after the backup is gone
		w.mu.Unlock()
		back()
		w.after(2*w.cfg.Duration+d, func() { w.skipPast(seen) })
	})
}

// skipPast raises the version of a restored store beyond one that was seen.
func (w *world) skipPast(seen lease.Version) {
	w.note("the numbering passes the versions of before")
	number, _ := strconv.Atoi(string(seen))
	w.backend.Advance(number)
	w.mu.Lock()
	w.restored = false
	w.mu.Unlock()
	if !w.backend.Edit(namespace, leaseName, func(o *coordinationv1.Lease) {
		o.Labels = map[string]string{"example.com/restored": "yes"}
	}) {
		_, _ = w.backend.Store(namespace, leaseName).Create(context.Background(), lease.Record{})
	}
}

// apiDown refuses every request for d, and breaks every watch.
func (w *world) apiDown(d time.Duration) {
	w.note("the API goes down for " + d.String())
	w.mu.Lock()
	w.outage = max(w.outage, w.now()+d)
	w.disturbed = max(w.disturbed, w.outage)
	w.mu.Unlock()
	for _, c := range w.candidates {
		c.breakWatch(errRefused)
	}
}
