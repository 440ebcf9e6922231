//go:build linux

package chaos

import (
	"bufio"
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
	"github.com/lease-sidecar/lease-sidecar/test/harness"
)

// Lack is time without a leader, by what began it and by the rule of the protocol that made it last.
type Lack struct {
	Fault, Rule string
	Count       int
	Total       Seconds
}

// line is what a record of a sidecar's log says of a term.
type line struct {
	Reason string `json:"reason"`
	Token  string `json:"token"`
	Detail string `json:"detail"`
	Late   string `json:"late"`
	Msg    string `json:"msg"`
}

// The rules that make a time without a leader.
const (
	waitsForExpiry = "waits D after the last write seen: the leader is gone"
	waitsFromV     = "stopped at V, waits until D"
	waitsEdited    = "waits D after somebody else's write"
	waitsDeleted   = "waits D after a delete"
	waitsForStop   = "a planned stop: until the workload is seen to have stopped, or validUntil"
	waitsForStore  = "stopped at V, and taken again by the same replica once the store answers"
	waitsForStart  = "until the process starts again, and resumes its term"
	waitsLate      = "free, and not taken yet: a pause between attempts, or a dead watch"
	unknownRule    = "not known: no log record of the term"
)

// rules attributes the time without a leader, by the logs of the candidates.
func (a Account) rules(logs map[string][]line) []Lack {
	sums := map[[2]string]*Lack{}
	add := func(fault, rule string, took time.Duration) {
		if took <= 0 {
			return
		}
		key := [2]string{fault, rule}
		if sums[key] == nil {
			sums[key] = &Lack{Fault: fault, Rule: rule}
		}
		sums[key].Count++
		sums[key].Total += Seconds(took)
	}
	for _, gap := range without([]span{a.Watched}, a.led()) {
		rule, late := a.rule(gap, logs)
		late = min(late, gap.length())
		add(a.cause(gap.from), rule, gap.length()-late)
		add(a.cause(gap.from), waitsLate, late)
	}
	var all []Lack
	for _, l := range sums {
		all = append(all, *l)
	}
	slices.SortFunc(all, func(a, b Lack) int { return cmp.Or(cmp.Compare(b.Total, a.Total), cmp.Compare(a.Rule, b.Rule)) })
	return all
}

// rule names the rule of one gap, and says for how long the Lease was free before it was taken.
func (a Account) rule(gap span, logs map[string][]line) (rule string, late time.Duration) {
	var before, after harness.Term
	for _, term := range a.Leads {
		switch {
		case !gap.from.Before(term.From) && term.From >= before.From:
			before = term
		case after.Replica == "" && !term.From.Before(gap.to):
			after = term
		}
	}
	began := slices.IndexFunc(logs[after.Replica], func(l line) bool {
		return l.Token == after.Token && (l.Reason == "BecameLeader" || l.Reason == "TermResumed")
	})
	if began < 0 {
		return unknownRule, 0
	}
	take := line{}
	for _, l := range logs[after.Replica][:began] {
		if l.Reason == "TakingLease" {
			take = l
		}
	}
	late, _ = time.ParseDuration(take.Late)
	switch {
	case strings.HasPrefix(take.Detail, "resuming"):
		return waitsForStart, 0
	case strings.HasPrefix(take.Detail, "the last holder"):
		return waitsForStop, 0
	case strings.HasPrefix(take.Detail, "this replica's own term"):
		return waitsForStore, 0
	}
	return waitAfter(before, logs), late
}

// waitAfter names why the Lease was waited for, by how the term before ended.
func waitAfter(before harness.Term, logs map[string][]line) string {
	ended := slices.IndexFunc(logs[before.Replica], func(l line) bool {
		return l.Token == before.Token && l.Msg == "no longer leading"
	})
	if ended < 0 {
		return waitsForExpiry // it had no time to say so
	}
	switch reason := logs[before.Replica][ended].Reason; reason {
	case "RenewDeadlineExceeded":
		return waitsFromV
	case "HolderCleared", "HolderChanged":
		return waitsEdited
	case "LeaseDeleted":
		return waitsDeleted
	default:
		return "waits D after " + reason
	}
}

// linesOf reads the log of a candidate of ours, those of the processes before included.
func linesOf(log string) (lines []line) {
	scan := bufio.NewScanner(strings.NewReader(log))
	scan.Buffer(nil, 1<<20)
	for scan.Scan() {
		var l line
		if json.Unmarshal(scan.Bytes(), &l) == nil && l.Reason != "" {
			lines = append(lines, l)
		}
	}
	return lines
}

// table shows what the time without a leader was for.
func table(lacks []Lack) string {
	var text strings.Builder
	out := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	fmt.Fprintln(out, "seconds\ttimes\tfault\trule")
	for _, l := range lacks {
		fmt.Fprintf(out, "%.2f\t%d\t%s\t%s\n", time.Duration(l.Total).Seconds(), l.Count, l.Fault, l.Rule)
	}
	_ = out.Flush()
	return text.String()
}

// at is an instant, so many seconds into a run.
func at(seconds int64) bootclock.Instant { return bootclock.Instant(seconds * int64(time.Second)) }

// TestRules attributes gaps of a made-up account.
func TestRules(t *testing.T) {
	term := func(replica, token string, from, to int64) harness.Term {
		return harness.Term{Replica: replica, Channel: "state", Token: token, From: at(from), To: at(to)}
	}
	a := Account{
		Names: []string{"web-0", "web-1", "web-2"}, Timing: TimingOf(15 * time.Second), Watched: span{at(0), at(200)},
		Leads: []harness.Term{
			term("web-0", "1", 0, 20), term("web-1", "2", 25, 50), term("web-1", "3", 52, 80), term("web-2", "4", 93, 120),
			term("web-0", "5", 121, 150), term("web-0", "6", 151, 200),
		},
		Events: []event{{kind: Cut, index: 0, span: span{at(10), at(40)}}, {kind: Killed, index: 1, span: span{at(80), at(90)}}},
	}
	logs := map[string][]line{
		"web-0": {
			{Reason: "RenewDeadlineExceeded", Token: "1", Msg: "no longer leading"},
			{Reason: "TakingLease", Detail: "the last holder released it"},
			{Reason: "BecameLeader", Token: "5"},
			{Reason: "TakingLease", Detail: "resuming the term of the process before"},
			{Reason: "TermResumed", Token: "6"},
		},
		"web-1": {
			{Reason: "TakingLease", Detail: "nobody has written it", Late: "1s"},
			{Reason: "BecameLeader", Token: "2"},
			{Reason: "RenewDeadlineExceeded", Token: "2", Msg: "no longer leading"},
			{Reason: "TakingLease", Detail: "this replica's own term expired"},
			{Reason: "BecameLeader", Token: "3"},
		},
		"web-2": {{Reason: "TakingLease", Detail: "nobody has written it"}, {Reason: "BecameLeader", Token: "4"}},
	}
	want := map[string]time.Duration{
		waitsFromV: 4 * time.Second, waitsLate: time.Second, waitsForStore: 2 * time.Second, waitsForExpiry: 13 * time.Second,
		waitsForStop: time.Second, waitsForStart: time.Second,
	}
	got := map[string]time.Duration{}
	for _, l := range a.rules(logs) {
		got[l.Rule] += time.Duration(l.Total)
	}
	for rule, took := range want {
		if got[rule] != took {
			t.Errorf("%s: %v, want %v", rule, got[rule], took)
		}
	}
	if len(got) != len(want) {
		t.Errorf("attributed to %v", got)
	}
}
