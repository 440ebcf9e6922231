//go:build linux

package fleet

import (
	"fmt"
	"slices"
	"sync"
	"testing/synctest"
	"time"

	"github.com/lease-sidecar/lease-sidecar/pkg/elector"
	"github.com/lease-sidecar/lease-sidecar/pkg/lease"
	"github.com/lease-sidecar/lease-sidecar/pkg/lease/memory"
)

// world is one plan being carried out inside one synctest bubble. The bubble's time is true time.
type world struct {
	plan       Plan
	cfg        elector.Config
	killMargin time.Duration
	chance     chance
	dir        string // of the signal directories
	epoch      time.Time
	backend    *memory.Backend
	candidates []*candidate
	running    sync.WaitGroup // processes, orders to them, and workers

	mu        sync.Mutex
	closing   bool
	outage    time.Duration // true time until which the API is down
	disturbed time.Duration // when something last happened to all candidates
	touched   time.Duration // somebody writes to the Lease often until then
	restored  bool          // the store gives out versions that were seen before
	putBacks  bool          // an old record was put back, or the whole store
	pods      []*Pod
	peers     []*peerProcess
	podCount  int
	live      []*process
	processes int
	advised   int                 // how often the members were seen
	writers   map[string]*process // by identity, the last that wrote as it
	ledger
	transcript
	violations []violation
	tally      Tally
}

// ledger is what the store has applied, in its order.
type ledger struct {
	newest      lease.Version
	highest     lease.Version // token of any term so far
	applied     map[stamp]bool
	holders     map[lease.Version]string
	acquired    map[lease.Version]time.Time
	holder      string                          // the last candidate that wrote itself as one
	since       lease.Version                   // the version with which it came
	runs        map[lease.Version]lease.Version // the same for each version that shows that one
	overwritten map[lease.Version]time.Duration
	held        []lease.Record
}

// violation is a rule that did not hold.
type violation struct {
	at         time.Duration
	rule, text string
}

// live carries out a plan and returns what came of it. It must be called in a bubble of its own.
func live(s Plan, dir string, k Keep) Result {
	w := &world{
		plan: s, cfg: s.config(), chance: chance{s.Seed}, dir: dir, epoch: time.Now(), backend: memory.New(),
		writers: map[string]*process{}, transcript: newTranscript(k),
		ledger: ledger{applied: map[stamp]bool{}, holders: map[lease.Version]string{}, acquired: map[lease.Version]time.Time{}, runs: map[lease.Version]lease.Version{}, overwritten: map[lease.Version]time.Duration{}},
	}
	w.disturbed, w.touched, w.killMargin = -time.Hour, -time.Hour, w.cfg.KillMargin()
	w.tally = NewTally()
	w.backend.Changes(w.changed)
	for i, slot := range s.Slots {
		w.candidates = append(w.candidates, w.newCandidate(i, slot))
	}
	w.inject()
	w.healAll()
	w.close()
	return w.result()
}

func (w *world) now() time.Duration { return time.Since(w.epoch) }

// after runs do when d has passed, unless the world is closing by then.
func (w *world) after(d time.Duration, do func()) {
	time.AfterFunc(d, func() {
		w.mu.Lock()
		closing := w.closing
		w.mu.Unlock()
		if !closing {
			do()
		}
	})
}

// afterLocked is after, with the world's lock held.
func (w *world) afterLocked(d time.Duration, do func()) {
	w.after(d, func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		do()
	})
}

// spawn runs do, which may wait for a frozen process, and joins it when the world closes.
func (w *world) spawn(do func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.closing {
		w.running.Go(do)
	}
}

// newCandidate makes a candidate whose first process starts in the first half second.
func (w *world) newCandidate(i int, s Slot) *candidate {
	c := &candidate{w: w, number: i + 1, name: fmt.Sprintf("web-%d", i), slot: s, clock: machineClock{skew: s.skew, ppm: s.PPM}}
	c.net.watchTrouble = -time.Hour
	c.store = w.backend.Store(namespace, leaseName)
	c.store.Faults(c.fate)
	c.store.LagWatches(c.lag(2 * hop))
	begin := w.chance.span(c.number, "begin", 0, 500*time.Millisecond)
	if s.peer {
		c.peer = &peer{w: w, c: c}
		w.after(begin, c.peer.start)
		return c
	}
	w.after(begin, c.newPod(false).start)
	return c
}

// inject begins every fault at its time.
func (w *world) inject() {
	for _, f := range w.plan.Faults {
		time.Sleep(f.At - w.now())
		k, c := kindNamed(f.Kind), w.target(f)
		if k.ours != "" && c.peer != nil {
			continue
		}
		w.mu.Lock()
		w.tally.faults[f.Kind]++
		w.mu.Unlock()
		w.note("FAULT " + f.Kind + " at " + c.name + " for " + f.Length.String())
		k.do(c, f.Length)
	}
	time.Sleep(w.plan.End - w.now())
}

// target returns the candidate that a fault is for.
func (w *world) target(f Fault) *candidate {
	if f.Target != TheLeader {
		return w.candidates[min(f.Target, len(w.candidates)-1)]
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, c := range w.candidates {
		if c.leads() {
			return c
		}
	}
	return w.candidates[0]
}

// leads reports whether anybody who asks this candidate, or reads its document, finds that it leads. The caller holds the world's lock.
func (c *candidate) leads() bool {
	if c.peer != nil {
		return c.peer.leads()
	}
	return slices.ContainsFunc(c.w.pods, func(p *Pod) bool { return p.c == c && p.leads() })
}

// healAll ends all faults, and asserts that somebody leads soon. The time until then has room for all processes to start, for the
// longest wait of all, that for a foreign record, and for a few failed attempts.
func (w *world) healAll() {
	w.note("everything is healed")
	w.mu.Lock()
	w.outage = 0
	w.mu.Unlock()
	for _, c := range w.candidates {
		c.heal()
	}
	time.Sleep(time.Nanosecond) // a process that thaws finds everything healed
	w.mu.Lock()
	for _, p := range w.live {
		p.gate.trap = ""
		p.openLocked()
	}
	for _, p := range w.pods {
		p.app.thaw(w.now())
		p.app.unhang(w.now())
	}
	w.mu.Unlock()
	for _, c := range w.candidates {
		w.after(w.chance.span(c.number, "health restored", w.now(), 50*time.Millisecond), c.checkHealth)
	}
	time.Sleep(2*w.cfg.Duration + 2*w.cfg.ForeignGrace + 10*time.Second + w.longestStop())
	w.mu.Lock()
	defer w.mu.Unlock()
	leaders := 0
	for _, c := range w.candidates {
		if c.leads() {
			leaders++
		}
	}
	w.must(leaders == 1, "liveness", "%d lead %v after everything was healed", leaders, w.now()-w.plan.End)
}

// longestStop is how long a handover that is under way may still take.
func (w *world) longestStop() (d time.Duration) {
	for _, c := range w.candidates {
		d = max(d, c.slot.stop+c.slot.workers)
	}
	return min(d, w.plan.StopTimeout) + w.killMargin
}

// close ends every process and joins it.
func (w *world) close() {
	w.mu.Lock()
	w.closing = true
	live := w.live
	for _, p := range w.pods {
		p.end()
	}
	w.mu.Unlock()
	for _, p := range live {
		p.kill()
	}
	for _, c := range w.candidates {
		if c.peer != nil {
			c.peer.close()
		}
	}
	w.running.Wait()
	synctest.Wait()
}

// changed enters a change of the Lease into the ledger, in the store's order.
func (w *world) changed(e lease.Event) {
	w.mu.Lock()
	defer w.mu.Unlock()
	r, now := e.Record, w.now()
	w.say("store", "change", "%s %s", r.Version, describeChange(e))
	if w.newest != "" {
		w.overwritten[w.newest] = now
	}
	w.newest = r.Version
	if r.Released() && !e.Deleted {
		w.tally.handovers++
	}
	if e.Deleted || r.Holder == "" {
		return
	}
	written := !w.applied[stampOf(r)] && (r.Foreign() || w.writers[r.Holder] != nil) // by a candidate: not put back, nor edited
	w.applied[stampOf(r)] = true
	w.holders[r.Version], w.acquired[r.Version] = r.Holder, r.AcquireTime
	if written && r.Holder != w.holder {
		w.holder, w.since = r.Holder, r.Version
	}
	if r.Holder == w.holder {
		w.runs[r.Version] = w.since
	}
	if !r.Foreign() && r.DurationSeconds == int32(w.cfg.Duration/time.Second) {
		w.held = append(w.held, r)
	}
}

// must records a violation of a rule if ok is false. The caller holds the world's lock.
func (w *world) must(ok bool, rule, format string, args ...any) {
	if ok || w.closing {
		return
	}
	v := violation{at: w.now(), rule: rule, text: fmt.Sprintf(format, args...)}
	w.violations = append(w.violations, v)
	w.say(everybody, "rules", "VIOLATION of %s: %s", v.rule, v.text)
}
