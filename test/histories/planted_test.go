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

// TestPlantedViolation takes a history that was really played, and makes it wrong in one place, in ways that no run of a control
// shows, and in many places: each must be rejected. Stale writes that are accepted are seen by TestUnguardedRegister, two holders at
// once by TestSlowClockIsSeen.
func TestPlantedViolation(t *testing.T) {
	t.Parallel()
	o := run{guarded: true, delayed: true}.play(t, 0)
	histories.WantKept(t, histories.Lock, o.operations, o.flags)
	histories.WantKept(t, histories.Fencing, o.operations, o.flags)
	for _, tc := range []struct {
		name  string
		spec  histories.Specification
		plant plant
	}{
		{"a good write is refused", histories.Fencing, refuseGood},
		{"a write is lost", histories.Fencing, loseWrite},
		{"a token falls", histories.Lock, swapTokens},
		{"a token falls, as the register sees it", histories.Fencing, swapTokens},
	} {
		t.Run(tc.name, func(t *testing.T) {
			planted := 0
			for _, i := range rand.New(rand.NewPCG(*seed, 0)).Perm(len(o.operations)) {
				if planted == places {
					break
				}
				wrong := slices.Clone(o.operations)
				if !tc.plant(wrong, i) {
					continue
				}
				planted++
				if histories.Judge(t, tc.spec, wrong) {
					t.Errorf("planted at %v (was %v): accepted, want it rejected", wrong[i], o.operations[i])
				}
			}
			if planted == 0 {
				t.Error("the history has no place for it")
			}
			t.Logf("%d planted, in turn", planted)
		})
	}
}

// refuseGood makes the register refuse a write though none under a higher token can have come before.
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

// taken reports whether o is a write that the register accepted.
func taken(o histories.Operation) bool { return o.Act == histories.Write && !o.Refused }
