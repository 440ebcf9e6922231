package main

import (
	"errors"
	"io"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/urfave/cli/v2"

	"github.com/lease-sidecar/lease-sidecar/internal/health"
	"github.com/lease-sidecar/lease-sidecar/internal/options"
	"github.com/lease-sidecar/lease-sidecar/internal/sidecar"
	"github.com/lease-sidecar/lease-sidecar/pkg/elector"
	"github.com/lease-sidecar/lease-sidecar/pkg/field"
	"github.com/lease-sidecar/lease-sidecar/pkg/signals/podlabel"
	"github.com/lease-sidecar/lease-sidecar/pkg/signals/process"
)

// The table says each flag once, and each is in use.
func TestOptions(t *testing.T) {
	used := map[string]bool{}
	for _, command := range newApp(nil, nil, io.Discard, io.Discard).Commands {
		for _, flag := range command.Flags {
			used[flag.Names()[0]] = true
		}
	}
	names := map[string]bool{}
	for _, o := range table.All() {
		for _, name := range []string{o.Name, o.Alias} {
			if name != "" && names[name] {
				t.Errorf("--%s is in the table twice", name)
			}
			names[name] = true
		}
		if !used[o.Name] {
			t.Errorf("no command takes --%s", o.Name)
		}
		if o.Usage == "" || o.Value == "" || strings.ToUpper(o.Value) != o.Value || strings.HasSuffix(o.Usage, ".") {
			t.Errorf("--%s %s: %q: want a usage without a full stop, and a value in capitals", o.Name, o.Value, o.Usage)
		}
		if o.Detail != "" && !strings.HasSuffix(o.Detail, ".") {
			t.Errorf("--%s: the detail %q is no sentence", o.Name, o.Detail)
		}
	}
}

// Kubernetes sets these for a Service named lease-sidecar (and LEASE_SIDECAR_PORT_4040_TCP_ADDR and the like).
func TestNoOptionIsSetByAService(t *testing.T) {
	service := regexp.MustCompile(`^LEASE_SIDECAR_(SERVICE_(HOST|PORT.*)|PORT.*)$`)
	for _, o := range table.All() {
		if service.MatchString(o.Env()) {
			t.Errorf("--%s: a Service would set %s", o.Name, o.Env())
		}
	}
}

// asked runs an app whose one command takes all options, and hands what it was given to check.
func asked(t *testing.T, check func(answers), args ...string) {
	t.Helper()
	var all []options.Handle
	for _, o := range table.All() {
		all = append(all, o)
	}
	app := &cli.App{Flags: flags(all...), Action: func(c *cli.Context) error {
		check(answersOf(c))
		return nil
	}}
	if err := app.Run(append([]string{"test"}, args...)); err != nil {
		t.Fatal(err)
	}
}

// wantGiven runs an app with the arguments, and checks what it was given for an option.
func wantGiven(t *testing.T, o options.Handle, want string, args ...string) {
	t.Helper()
	asked(t, func(a answers) {
		if got := a.Given(o); got != want {
			t.Errorf("%q: got %q; want %q", args, got, want)
		}
	}, args...)
}

func TestFlagBeatsVariableBeatsDefault(t *testing.T) {
	wantGiven(t, leaseDurationFlag, "15s")
	t.Setenv("LEASE_SIDECAR_LEASE_DURATION", "")
	wantGiven(t, leaseDurationFlag, "15s")
	t.Setenv("LEASE_SIDECAR_LEASE_DURATION", "20s")
	wantGiven(t, leaseDurationFlag, "20s")
	wantGiven(t, leaseDurationFlag, "30s", "--lease-duration", "30s")
	wantGiven(t, leaseDurationFlag, "30s", "--lease-duration=30s")
}

func TestToggleNeedsNoValue(t *testing.T) {
	for args, want := range map[string]bool{"": true, "--allow-step-down": true, "--allow-step-down=false": false} {
		asked(t, func(a answers) {
			if got := a.Toggle(allowStepDownFlag); got != want || a.err() != nil {
				t.Errorf("%q: got %v, %v; want %v", args, got, a.err(), want)
			}
		}, strings.Fields(args)...)
	}
}

// TestOtherName: an alias works as a flag.
func TestOtherName(t *testing.T) {
	wantGiven(t, renewIntervalFlag, "2s", "--retry-period", "2s")
}

// TestEveryFieldIsOne: a row names a field of the configuration that is there, so that a fault of it finds its flag.
func TestEveryFieldIsOne(t *testing.T) {
	seen := map[string]bool{}
	for _, o := range table.All() {
		if o.Field == "" {
			continue
		}
		if seen[o.Field] {
			t.Errorf("two options set %s", o.Field)
		}
		seen[o.Field] = true
		of := reflect.TypeFor[sidecar.Config]()
		for name := range strings.SplitSeq(o.Field, ".") {
			if of.Kind() == reflect.Pointer {
				of = of.Elem()
			}
			field, ok := of.FieldByName(name)
			if !ok {
				t.Errorf("--%s sets %s: %s has no field %s", o.Name, o.Field, of, name)
				break
			}
			of = field.Type
		}
	}
}

// TestEveryFaultHasAFlag: whatever Validate refuses, the user learns by which flag to change it.
func TestEveryFaultHasAFlag(t *testing.T) {
	refused := map[string]bool{"WatchProcesses": true} // which only a pid namespace of its own refuses
	for _, wrong := range []func(*sidecar.Config){
		func(c *sidecar.Config) {
			c.Election = elector.Config{Duration: time.Second, RenewDeadline: time.Hour, ForeignGrace: -1, Priority: -1}
		},
		func(c *sidecar.Config) { c.Health = health.Config{URL: "x", TCP: "x", File: "x"} },
		func(c *sidecar.Config) { c.Health.FileMaxAge, c.Health.Timeout = 1, time.Hour },
		func(c *sidecar.Config) { c.Health.URL, c.Health.TCP = "http://x", "127.0.0.1:1" },
		func(c *sidecar.Config) {
			c.Process.OnElected, c.Process.OnLost = process.Signo(syscall.SIGHUP), process.Signo(syscall.SIGHUP)
		},
		func(c *sidecar.Config) { c.Process.Target = process.Target{Name: "a/b", PIDFile: "x"} },
		func(c *sidecar.Config) { c.Process.Fence = true },
		func(c *sidecar.Config) { c.StopTimeout, c.SignalDir = 0, "/dev/null" },
		func(c *sidecar.Config) { c.HTTPAddress, c.ProbeAddress, c.DebugAddress = "x", "x", ":6060" },
		func(c *sidecar.Config) { c.ProbeAddress = "unix:x" },
		func(c *sidecar.Config) { c.Label, c.WatchPod = &podlabel.Label{}, true },
		func(c *sidecar.Config) { c.Events, c.Store.Dir = true, "x" },
		func(c *sidecar.Config) { c.WatchExcept = []string{"x"} },
	} {
		c := validConfig()
		wrong(&c)
		for _, single := range field.Flatten(c.Validate()) {
			one, ok := errors.AsType[*field.Error](single)
			if !ok {
				t.Errorf("%v is no fault of a field", single)
				continue
			}
			refused[one.Field] = true
		}
	}
	want := strings.Fields(`DebugAddress Election.Duration Election.ForeignGrace Election.Lease Election.Priority Election.RenewDeadline
		Election.RenewInterval HTTPAddress Health.FileMaxAge Health.Interval Health.SuccessThreshold Health.TCP Health.Threshold
		Health.Timeout Health.URL Pod ProbeAddress Process.Fence Process.OnElected Process.OnLost Process.Target.Name
		Process.Target.PIDFile SignalDir StopTimeout Store WatchExcept WatchProcesses`)
	if diff := cmp.Diff(want, slices.Sorted(maps.Keys(refused))); diff != "" {
		t.Errorf("refused (-want +got)\n%s", diff)
	}
	for name := range refused {
		needed := func(o *options.Option) bool { return o.Needs == name }
		if table.OfField(name) == nil && !slices.ContainsFunc(table.All(), needed) {
			t.Errorf("no flag sets or needs %s", name)
		}
	}
}

// validConfig is a configuration without faults.
func validConfig() sidecar.Config {
	return sidecar.Config{
		Election:    elector.Config{Lease: "web", Namespace: "default"}.WithDefaults(),
		Health:      health.Config{Interval: time.Second, Threshold: 1, SuccessThreshold: 1},
		StopTimeout: time.Second,
	}
}

// A timing that follows from another is blamed only where no other is.
func TestOnlyGivenTimingsAreBlamed(t *testing.T) {
	for name, tc := range map[string]struct {
		args []string
		want []string // how each fault begins
	}{
		"too short":               {[]string{"--lease-duration", "1.5s"}, []string{"--lease-duration 1.5s"}},
		"deadline too small":      {[]string{"--renew-deadline", "1s"}, []string{"--renew-interval 3s"}},
		"deadline past the lease": {[]string{"--renew-deadline", "15s"}, []string{"--renew-deadline 15s"}},
		"all three": {
			[]string{"--lease-duration", "2s", "--renew-deadline", "2s", "--renew-interval", "2s"},
			[]string{"--lease-duration 2s", "--renew-deadline 2s", "--renew-interval 2s"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			asked(t, func(a answers) {
				c := validConfig()
				c.Election = a.electorConfig("default")
				a.Fields(c.Validate())
				faults := field.Flatten(a.Err())
				if len(faults) != len(tc.want) {
					t.Fatalf("got %v; want %d faults", a.Err(), len(tc.want))
				}
				for i, want := range tc.want {
					if got := faults[i].Error(); !strings.HasPrefix(got, want+":") {
						t.Errorf("got %q; want %q", got, want)
					}
				}
			}, append([]string{"--workload", "deployment/web"}, tc.args...)...)
		})
	}
}

func TestSplitChild(t *testing.T) {
	for name, tc := range map[string]struct{ args, own, child []string }{
		"none":       {[]string{"x", "run"}, []string{"x", "run"}, nil},
		"a command":  {[]string{"x", "run", "--", "sh", "--", "-c"}, []string{"x", "run"}, []string{"sh", "--", "-c"}},
		"an empty":   {[]string{"x", "run", "--"}, []string{"x", "run"}, []string{}},
		"help is it": {[]string{"x", "run", "--", "help"}, []string{"x", "run"}, []string{"help"}},
	} {
		t.Run(name, func(t *testing.T) {
			own, child := splitChild(tc.args)
			if diff := cmp.Diff([][]string{tc.own, tc.child}, [][]string{own, child}); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

// A workload that runs only while this replica leads is checked only then, and gets time to start.
func TestHealthWhile(t *testing.T) {
	for _, tc := range []struct {
		args  []string
		want  bool
		grace string
	}{
		{nil, false, "0s"},
		{[]string{"--on-lost", "TERM"}, false, "0s"},
		{[]string{"--on-lost", "SIGSTOP"}, true, "30s"},
		{[]string{"--on-lost", "tstp", "--health-start-grace", "5s"}, true, "5s"},
		{[]string{"--on-lost", "STOP", "--health-while", "always"}, false, "0s"},
		{[]string{"--health-while", "leading"}, true, "30s"},
	} {
		asked(t, func(a answers) {
			check := a.health(a.processSignal(onLostFlag).Parks())
			if check.WhileLeading != tc.want || check.StartGrace.String() != tc.grace {
				t.Errorf("%q: only while leading %v, grace %s; want %v, %s", tc.args, check.WhileLeading, check.StartGrace, tc.want, tc.grace)
			}
		}, tc.args...)
	}
}
