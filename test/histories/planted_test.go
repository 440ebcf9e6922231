//go:build linux

package histories_test

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/lease-sidecar/lease-sidecar/pkg/lease"
	"github.com/lease-sidecar/lease-sidecar/test/histories"
)

// plant makes a history wrong at the operation of that index, and reports whether that operation allows it.
type plant func(history []histories.Operation, i int) bool

// places is in how many suitable places a violation is planted: judging all of them takes minutes on a busy machine.
const places = 40

// TestPlantedViolation takes a history that was really played, and makes it wrong in one place, in every way and in many
// places: each must be rejected.
func TestPlantedViolation(t *testing.T) {
	t.Parallel()
	played := playEventful(t)
	for _, tc := range []struct {
		name  string
		spec  histories.Specification
		plant plant
	}{
		{"a stale write is accepted", histories.Fencing, acceptStale},
		{"a good write is refused", histories.Fencing, refuseGood},
		{"a write is lost", histories.Fencing, loseWrite},
		{"a write bears a token that nobody has", histories.Fencing, inventToken},
		{"two hold it at once", histories.Lock, holdOn},
		{"a token falls", histories.Lock, swapTokens},
		{"a token falls, as the register sees it", histories.Fencing, swapTokens},
		{"a release is another's", histories.Lock, releaseAnothers},
	} {
		t.Run(tc.name, func(t *testing.T) {
			planted := 0
			for _, i := range rand.New(rand.NewPCG(*seed, 0)).Perm(len(played)) {
				if planted == places {
					break
				}
				wrong := slices.Clone(played)
				if !tc.plant(wrong, i) {
					continue
				}
				planted++
				if histories.Judge(t, tc.spec, wrong) {
					t.Errorf("planted at %v (was %v): accepted, want it rejected", wrong[i], played[i])
				}
			}
			if planted == 0 {
				t.Error("the history has no place for it")
			}
			t.Logf("%d planted, in turn", planted)
		})
	}
}

// playEventful plays histories until one has a late write that was refused, and returns it.
func playEventful(t *testing.T) []histories.Operation {
	t.Helper()
	for i := range 20 {
		o := run{guarded: true, delayed: true}.play(t, i)
		histories.WantKept(t, histories.Lock, o.operations, o.flags)
		histories.WantKept(t, histories.Fencing, o.operations, o.flags)
		for i := range o.operations {
			if acceptStale(slices.Clone(o.operations), i) {
				return o.operations
			}
		}
	}
	t.Fatal("no write came late in any history")
	return nil
}

// acceptStale makes the register accept a write whose sending a successor's accepted write had already preceded.
func acceptStale(history []histories.Operation, i int) bool {
	o := &history[i]
	late := o.Act == histories.Write && o.Refused && slices.ContainsFunc(history, func(p histories.Operation) bool {
		return taken(p) && p.To < o.From && p.Token.Compare(o.Token) > 0
	})
	if late {
		o.Refused = false
	}
	return late
}

func refuseGood(history []histories.Operation, i int) bool {
	o := &history[i]
	higher := slices.ContainsFunc(history, func(p histories.Operation) bool {
		return taken(p) && p.From <= o.To && p.Token.Compare(o.Token) > 0
	})
	if !taken(*o) || higher {
		return false
	}
	o.Refused = true
	return true
}

// loseWrite has a read return the value before the one that stood there.
func loseWrite(history []histories.Operation, i int) bool {
	o := &history[i]
	if o.Act != histories.Read {
		return false
	}
	value := func(p histories.Operation) bool { return taken(p) && p.Value == o.Value }
	seen := slices.IndexFunc(history, value)
	if seen < 0 || history[seen].To >= o.From {
		return false
	}
	for _, before := range slices.Backward(history[:seen]) {
		if taken(before) && before.To < history[seen].From {
			o.Value = before.Value
			return true
		}
	}
	return false
}

func inventToken(history []histories.Operation, i int) bool {
	o := &history[i]
	if !taken(*o) {
		return false
	}
	o.Token += "0"
	return true
}

// holdOn moves the end of a term behind the beginning of the next.
func holdOn(history []histories.Operation, i int) bool {
	o := &history[i]
	if !ends(*o) {
		return false
	}
	next := slices.IndexFunc(history, func(p histories.Operation) bool {
		return p.Act == histories.Acquire && p.Token.Compare(o.Token) > 0 && p.From >= o.From
	})
	if next < 0 {
		return false
	}
	o.From = history[next].To + 1
	o.To = max(o.To, o.From)
	return true
}

// swapTokens gives a term's token to the one after it, and that one's to it.
func swapTokens(history []histories.Operation, i int) bool {
	if history[i].Act != histories.Acquire {
		return false
	}
	next := slices.IndexFunc(history, func(p histories.Operation) bool {
		return p.Act == histories.Acquire && p.From > history[i].To
	})
	if next < 0 {
		return false
	}
	other := map[lease.Version]lease.Version{history[i].Token: history[next].Token, history[next].Token: history[i].Token}
	for j := range history {
		if token, ok := other[history[j].Token]; ok {
			history[j].Token = token
		}
	}
	return true
}

func releaseAnothers(history []histories.Operation, i int) bool {
	if history[i].Act != histories.Release {
		return false
	}
	history[i].Token += "0"
	return true
}

// taken reports whether o is a write that the register accepted.
func taken(o histories.Operation) bool { return o.Act == histories.Write && !o.Refused }

// ends reports whether o is the end of a term.
func ends(o histories.Operation) bool {
	return o.Act == histories.Release || o.Act == histories.Expire
}
