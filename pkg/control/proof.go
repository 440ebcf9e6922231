package control

import (
	"context"
	"sync"
)

// Proof is a way of seeing that the workload has stopped: its process has ended, its endpoint is gone.
//
// A Proof may also have a method
//
//	Alive() bool
//
// that reports whether the workload is known to run at this moment, and has not been killed yet: then a handover goes
// on waiting even after validUntil, as nothing may be released under work that is seen. And it may have a method
//
//	Blind() bool
//
// that reports that it could not see the workload's end now, because it has never seen the workload or does not see
// its every end: then it does not stand against the rule of the native placement.
type Proof interface {
	// Name is a short constant for the log, such as "child".
	Name() string
	// Stopped returns nil once the workload is seen to have stopped; at once, where it does not run. It returns ctx's
	// error when ctx ends first. Calls may overlap.
	Stopped(ctx context.Context) error
}

// proofs are all that can see one workload.
type proofs []Proof

// alive reports whether one of them knows that the workload runs.
func (p proofs) alive() bool {
	for _, proof := range p {
		if a, ok := proof.(interface{ Alive() bool }); ok && a.Alive() {
			return true
		}
	}
	return false
}

// blind reports whether none of them could see the workload's end.
func (p proofs) blind() bool {
	for _, proof := range p {
		if b, ok := proof.(interface{ Blind() bool }); !ok || !b.Blind() {
			return false
		}
	}
	return true
}

// sighting is what one proof came back with.
type sighting struct {
	proof string
	err   error
}

// ask asks all of them; each answers once on the channel, which has room for all. The asking ends with ctx; join waits
// for that.
func (p proofs) ask(ctx context.Context) (answers <-chan sighting, join func()) {
	seen := make(chan sighting, len(p))
	var asking sync.WaitGroup
	for _, proof := range p {
		asking.Go(func() { seen <- sighting{proof.Name(), proof.Stopped(ctx)} })
	}
	return seen, asking.Wait
}
