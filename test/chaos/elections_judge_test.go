//go:build linux

package chaos

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
	"github.com/lease-sidecar/lease-sidecar/test/harness"
)

// second returns an instant of the made-up runs below, which begin at 0.
func second(s float64) bootclock.Instant { return bootclock.Instant(s * float64(time.Second)) }

// made is a made-up run of 100 s at D = 15 s, whose leader can spare 4 s, with candidates web-0 to web-2. Who leads
// shows in "state" and nothing else.
func made(events []event, leads ...harness.Term) Account {
	var w harness.Witness
	for _, term := range leads {
		w.AddTerm(term)
	}
	return newAccount(&w, "state", ourName, events, 15*time.Second, second(100))
}

func lead(index int, token string, from, to float64) harness.Term {
	return harness.Term{Replica: ourName(index), Channel: "state", Token: token, From: second(from), To: second(to)}
}

func happened(kind Kind, index int, from, to float64) event {
	return event{kind: kind, index: index, span: span{second(from), second(to)}}
}

// TestPlantedViolations makes up runs that must not pass, and one that must.
func TestPlantedViolations(t *testing.T) {
	for _, tc := range []struct {
		name    string
		account Account
		want    []string
	}{
		{"a sound run", made(nil, lead(0, "9", 0, 50), lead(1, "10", 51, 100)), nil},
		{
			"two at once", made(nil, lead(0, "9", 0, 50), lead(1, "10", 49.5, 100)),
			[]string{"two of ours led at once: 1 times, 500ms in all, longest 500ms"},
		},
		{
			"two at once for a millisecond", made(nil, lead(0, "9", 0, 50), lead(1, "10", 49.999, 100)),
			[]string{"two of ours led at once: 1 times, 1ms in all, longest 1ms"},
		},
		{
			"a token falls", made(nil, lead(0, "10", 0, 50), lead(1, "9", 51, 100)),
			[]string{"token 9 of web-1 came after token 10 of web-0"},
		},
		{
			"a token stays", made(nil, lead(0, "10", 0, 50), lead(1, "10", 51, 100)),
			[]string{"token 10 of web-1 came after token 10 of web-0"},
		},
		{"nobody leads in the end", made(nil, lead(0, "9", 0, 50)), []string{"none of ours leads in the end"}},
		{"nobody ever leads", made(nil), []string{"none of ours leads in the end"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, Report{Ours: tc.account.Judge("ours")}.faults()); diff != "" {
				t.Errorf("faults (-want +got):\n%s", diff)
			}
		})
	}
}

// TestOverlapsOfChannels plants an overlap that no single channel shows, and one of a process that was frozen.
func TestOverlapsOfChannels(t *testing.T) {
	a := made([]event{happened(Stopped, 0, 30, 45)}, lead(0, "9", 0, 40), lead(1, "10", 41, 100))
	a.Terms = append(a.Terms, harness.Term{Replica: ourName(0), Channel: "program", From: second(0), To: second(46)})
	got := a.Judge("ours")
	if want := (Overlaps{Count: 1, Total: Seconds(5 * time.Second), Longest: Seconds(5 * time.Second)}); got.Overlaps != want {
		t.Errorf("leading at once: %v, want %v", got.Overlaps, want)
	}
	if want := (Overlaps{Count: 1, Total: Seconds(time.Second), Longest: Seconds(time.Second)}); got.OverlapsAwake != want {
		t.Errorf("leading at once, both awake: %v, want %v", got.OverlapsAwake, want)
	}
}

// TestNeedlessLosses lets web-0 lose the lead at 50 s in different company.
func TestNeedlessLosses(t *testing.T) {
	for _, tc := range []struct {
		name     string
		events   []event
		needless bool
	}{
		{"out of the blue", nil, true},
		{"killed", []event{happened(Killed, 0, 42, 43)}, false},
		{"another one was killed", []event{happened(Killed, 1, 42, 43)}, true},
		{"killed long ago", []event{happened(Killed, 0, 20, 30)}, true},
		{"asked to step down", []event{happened(StepDown, 0, 49.9, 49.95)}, false},
		{"cut for longer than it can spare", []event{happened(Cut, 0, 41, 46)}, false},
		{"still cut", []event{happened(Cut, 0, 41, 60)}, false},
		{"cut for a moment", []event{happened(Cut, 0, 45, 46)}, true},
		{"cut for a moment, and the store was down around it", []event{happened(Cut, 0, 45, 46), happened(EtcdKilled, everyone, 42, 47)}, false},
		{"cut twice, too long in all", []event{happened(Cut, 0, 40, 42), happened(Stopped, 0, 44, 46.5)}, false},
		{"cut at the same time in two ways", []event{happened(Cut, 0, 44, 46.5), happened(APIFrozen, everyone, 44, 46.5)}, true},
		{"cut too long ago", []event{happened(Cut, 0, 20, 38)}, true},
		{"its connections were reset", []event{happened(Reset, 0, 49, 49)}, true},
		{"asked to step down as it was last seen to lead", []event{happened(StepDown, 0, 50.01, 50.05)}, false},
		{"asked to step down later", []event{happened(StepDown, 0, 50.5, 50.6)}, true},
		{"the Lease was deleted", []event{happened(LeaseDeleted, everyone, 49, 49.1)}, false},
		{"the Lease was edited", []event{happened(LeaseEdited, everyone, 49, 49.1)}, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := made(tc.events, lead(0, "9", 0, 50), lead(1, "10", 51, 100)).Judge("ours")
			if got.Losses != 1 || len(got.Needless) == 1 != tc.needless {
				t.Errorf("%d losses, needless %q, want one and it needless: %v", got.Losses, got.Needless, tc.needless)
			}
		})
	}
}

// TestLateLoss lets a frozen leader hear 10 s after its waking that another one leads: it lost while it was frozen.
func TestLateLoss(t *testing.T) {
	got := made([]event{happened(PodFrozen, 0, 30, 50)}, lead(0, "9", 0, 60), lead(1, "10", 45, 100)).Judge("ours")
	if got.Losses != 1 || len(got.Needless) != 0 {
		t.Errorf("%d losses, needless %q, want one and none", got.Losses, got.Needless)
	}
}

// TestCarriedOn takes a new token of the same leader for no loss, no move and no gap, and counts it as a term.
func TestCarriedOn(t *testing.T) {
	got := made([]event{happened(Killed, 0, 49, 49.5)}, lead(0, "9", 0, 50), lead(0, "10", 50.02, 100)).Judge("ours")
	if got.Terms != 2 || got.Moves != 0 || got.Losses != 0 || got.WithoutLeader != 0 {
		t.Errorf("%d terms, %d moves, %d losses, %v without a leader, want 2, 0, 0, 0", got.Terms, got.Moves, got.Losses, got.WithoutLeader)
	}
}

// TestGaps has a gap after a kill amid other faults, one after a long freeze with a short outage in it, one after a
// handover, and one out of the blue.
func TestGaps(t *testing.T) {
	got := made([]event{
		happened(EtcdKilled, everyone, 0, 30), happened(Killed, 0, 39, 41), happened(Cut, 2, 39.5, 45),
		happened(Stopped, 1, 47, 60), happened(APIKilled, everyone, 55, 56), happened(Terminated, 2, 63.1, 63.2),
	}, lead(0, "9", 10, 40), lead(1, "10", 46, 56), lead(2, "11", 59, 63), lead(0, "12", 63.5, 90), lead(0, "13", 92, 100)).Judge("ours")
	if want := Seconds(11500 * time.Millisecond); got.WithoutLeader != want {
		t.Errorf("without a leader for %v, want %v", got.WithoutLeader, want)
	}
	once := func(d time.Duration) Spread { return spreadOf([]time.Duration{d}) }
	want := map[string]Spread{
		string(Killed): once(6 * time.Second), string(Stopped): once(3 * time.Second),
		string(Terminated): once(500 * time.Millisecond), "none": once(2 * time.Second),
	}
	if diff := cmp.Diff(want, got.Gaps); diff != "" {
		t.Errorf("gaps (-want +got):\n%s", diff)
	}
}

// TestHandovers asks a leader twice and a standby once.
func TestHandovers(t *testing.T) {
	got := made([]event{
		happened(Terminated, 0, 50, 52), happened(StepDown, 2, 60, 60.1), happened(StepDown, 1, 70, 70.1),
	}, lead(0, "9", 0, 50.01), lead(1, "10", 50.03, 70.01), lead(2, "11", 70.04, 100)).Judge("ours")
	want := map[Kind]Spread{
		Terminated: spreadOf([]time.Duration{30 * time.Millisecond}), StepDown: spreadOf([]time.Duration{40 * time.Millisecond}),
	}
	if diff := cmp.Diff(want, got.Handovers); diff != "" {
		t.Errorf("handovers (-want +got):\n%s", diff)
	}
}

func TestSecondsInJSON(t *testing.T) {
	b, err := json.Marshal(Seconds(1234567 * time.Microsecond))
	if got, want := string(b), "1.235"; err != nil || got != want {
		t.Errorf("%s, %v, want %s", got, err, want)
	}
}
