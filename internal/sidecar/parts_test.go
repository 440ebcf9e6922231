//go:build linux

package sidecar

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lease-sidecar/lease-sidecar/internal/guard"
	"github.com/lease-sidecar/lease-sidecar/internal/health"
	"github.com/lease-sidecar/lease-sidecar/internal/podid"
	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
	"github.com/lease-sidecar/lease-sidecar/pkg/elector"
	"github.com/lease-sidecar/lease-sidecar/pkg/leadership"
	"github.com/lease-sidecar/lease-sidecar/pkg/signals"
	"github.com/lease-sidecar/lease-sidecar/pkg/signals/podlabel"
	"github.com/lease-sidecar/lease-sidecar/pkg/signals/process"
	"github.com/lease-sidecar/lease-sidecar/pkg/signals/webhook"
)

// bystander is an election that never leads.
type bystander struct{}

func (bystander) SetHealthy(bool, string)           {}
func (bystander) Leadership() leadership.Leadership { return leadership.Leadership{} }

// The end of the health endpoint shows less than the end of the process, where that is seen: a process may close its endpoint and
// work on.
func TestEndpointIsNoSightBesideAProcess(t *testing.T) {
	for name, c := range map[string]struct {
		process process.Target
		want    []string
	}{
		"alone":            {process.Target{}, []string{"health", "running"}},
		"beside a process": {process.Target{Name: "nobody-is-called-so"}, []string{"process", "running"}},
	} {
		t.Run(name, func(t *testing.T) {
			k := built(t, Config{Process: process.Config{Target: c.process}, HealthProvesStop: true, Health: health.Config{
				TCP: "127.0.0.1:1", Interval: time.Second, Timeout: time.Second, Threshold: 1, SuccessThreshold: 1,
			}})
			var got []string
			for _, one := range k.sights() {
				got = append(got, one.Name())
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("the sights are %q, want %q", got, c.want)
			}
		})
	}
}

// silent is an API server that answers nothing; building the parts asks it nothing.
type silent struct{}

func (silent) Send(ctx context.Context, _, _ string, _ []byte) ([]byte, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

// built returns the parts of a configuration, and closes them in the end.
func built(t *testing.T, cfg Config) *kit {
	t.Helper()
	k := &kit{cfg: cfg, log: slog.New(slog.DiscardHandler), clock: bootclock.System{}, board: health.NewBoard(bystander{}), api: silent{}}
	if err := k.build(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = k.close() })
	return k
}

// TestOutputs is the table of ADR 0009: how far a handover waits for each signal, and whether it uses the network. The names are those
// of the metrics: "events" is the stream over HTTP, and "lease-events" what --events records on the Lease.
func TestOutputs(t *testing.T) {
	hook := func(text string) *webhook.Config {
		url, err := webhook.ParseURL(text)
		if err != nil {
			t.Fatal(err)
		}
		return &webhook.Config{URL: url, Timeout: time.Second}
	}
	label := podlabel.Label{Key: "example.com/leader", Value: "true"}
	here := Config{
		SignalDir: t.TempDir(), Process: process.Config{Target: process.Target{Name: "nobody-is-called-so"}},
		Webhook: hook("http://127.0.0.1:1/"), Label: &label, Events: true,
	}
	type output struct {
		wait   signals.Wait
		remote bool
	}
	for name, c := range map[string]struct {
		cfg  Config
		want map[string]output
	}{
		"all, and a webhook of the pod's own": {here, map[string]output{
			"events": {signals.Required(), false}, "file": {signals.Required(), false}, "process": {signals.Required(), false},
			"webhook": {signals.Required(), true}, "pod-label": {signals.BestEffort(labelMoment), true}, "lease-events": {signals.NoWait(), true},
		}},
		"a webhook elsewhere": {Config{Webhook: hook("https://example.com/")}, map[string]output{
			"events": {signals.Required(), false}, "webhook": {signals.NoWait(), true},
		}},
	} {
		t.Run(name, func(t *testing.T) {
			k := built(t, c.cfg)
			got := map[string]output{}
			for _, one := range k.signalOutputs() {
				got[one.Signal.Name()] = output{one.Wait, one.Remote}
			}
			if !maps.Equal(got, c.want) {
				t.Errorf("the outputs are %+v, want %+v", got, c.want)
			}
		})
	}
}

// elsewhere are the fields of Config that no part takes, but the election, the store, the servers and the waiter.
var elsewhere = strings.Fields("Election Replica Version Log Store HTTPAddress ProbeAddress DebugAddress Compat DrainTimeout Membership")

// TestPartsTakeTheirFields: each part has got the fields of Config that it needs. Each text and number has a value of its own here, which is
// looked for in what a part keeps. A new field gets a value and a place in a row, or in elsewhere. What only switches is not seen.
func TestPartsTakeTheirFields(t *testing.T) {
	cfg := Config{
		Election: elector.Config{Duration: 7003, RenewDeadline: 3}, SignalDir: t.TempDir(), StopTimeout: 7013,
		Pod: podid.Pod{Namespace: "a-namespace", Name: "a-pod", UID: "a-uid"}, Node: "a-node",
		Health:  health.Config{TCP: "127.0.0.1:7019", Interval: 7027, Timeout: 7039, Threshold: 7043, SuccessThreshold: 7057},
		Command: []string{"a-program"}, Process: process.Config{Target: process.Target{Name: "a-process"}, StopTimeout: 7069},
		Label: &podlabel.Label{Key: "a-key", Value: "a-value"}, Webhook: &webhook.Config{Timeout: 7079}, Events: true,
		WatchProcesses: true, WatchExcept: []string{"a-helper"}, WatchPod: true, OwnContainer: "a-container",
	}
	cfg.Webhook.URL, _ = webhook.ParseURL("https://example.com/hook")
	want := map[string]string{
		"events": "", "file": cfg.SignalDir, "run-lock": cfg.SignalDir, "running": "", "processes": "a-helper",
		"health": "127.0.0.1:7019 <7027> <7039> <7043> <7057>", "process": "a-process <7069>",
		"child": "<7013> a-program " + number(int64(cfg.Election.KillMargin())), "webhook": "https example.com /hook <7079>",
		"pod-label": "a-namespace a-pod a-uid a-key a-value", "pod": "a-namespace a-pod a-uid a-container", "lease-events": "a-node",
	}
	k := built(t, cfg)
	kept := map[string]any{"health": k.health}
	for _, one := range k.all {
		if one.signal != nil {
			kept[one.signal.Name()] = one.signal
		} else if one.sight != nil {
			kept[one.sight.Name()] = one.sight
		}
	}
	given := append(texts(reflect.ValueOf(cfg), map[any]bool{}), number(int64(cfg.Election.KillMargin())))
	got := map[string]string{}
	for name, part := range kept {
		all := strings.Join(texts(reflect.ValueOf(part), map[any]bool{}), " ")
		got[name] = strings.Join(slices.DeleteFunc(slices.Clone(given), func(value string) bool { return !strings.Contains(all, value) }), " ")
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("what the parts have got (-want +got):\n%s", diff)
	}
	taken := strings.Join(slices.Collect(maps.Values(got)), " ")
	for field, value := range reflect.ValueOf(cfg).Fields() {
		isTaken := slices.ContainsFunc(texts(value, map[any]bool{}), func(text string) bool { return strings.Contains(taken, text) })
		if !isTaken && value.Kind() != reflect.Bool && !slices.Contains(elsewhere, field.Name) {
			t.Errorf("no part takes Config.%s: give it a value here and fill it in in signals.go or sights.go, or name it in elsewhere", field.Name)
		}
	}
}

// number is a number among texts; no other number contains it.
func number(n int64) string { return fmt.Sprintf("<%d>", n) }

// texts returns the texts and numbers in a value, in their order. It follows each pointer once, and none to a guard, which runs.
func texts(v reflect.Value, seen map[any]bool) (all []string) {
	switch {
	case !v.IsValid() || v.IsZero():
	case v.Kind() == reflect.String:
		return []string{v.String()}
	case v.CanInt():
		return []string{number(v.Int())}
	case v.Kind() == reflect.Interface:
		return texts(v.Elem(), seen)
	case v.Kind() == reflect.Pointer && v.Type() != reflect.TypeFor[*guard.Guard]():
		if at := [2]any{v.Type(), v.Pointer()}; !seen[at] {
			seen[at] = true
			return texts(v.Elem(), seen)
		}
	case v.Kind() == reflect.Struct:
		for _, value := range v.Fields() {
			all = append(all, texts(value, seen)...)
		}
	case v.Kind() == reflect.Slice:
		for i := range v.Len() {
			all = append(all, texts(v.Index(i), seen)...)
		}
	}
	return all
}
