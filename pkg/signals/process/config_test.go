package process

import (
	"fmt"
	"strings"
	"testing"

	"github.com/lease-sidecar/lease-sidecar/pkg/field"
)

func TestValidateNamesTheFieldAndTheFix(t *testing.T) {
	byName := Target{Name: "app"}
	for name, tc := range map[string]struct {
		cfg  Config
		want []string // a fault each: parts of it, in order
	}{
		"nothing at all":    {Config{}, nil},
		"only sight":        {Config{Target: byName}, nil},
		"news":              {Config{Target: byName, OnElected: hup, OnLost: 12}, nil},
		"parking":           {Config{Target: byName, OnElected: cont, OnLost: stop}, nil},
		"a fence":           {Config{Target: byName, OnLost: term, Fence: true}, nil},
		"no target":         {Config{OnElected: hup, OnLost: term}, []string{"OnElected SIGHUP: name or its pid file", "OnLost SIGTERM: name"}},
		"a path for a name": {Config{Target: Target{Name: "/usr/bin/app"}}, []string{`Target.Name "/usr/bin/app": "app"`}},
		"a relative file":   {Config{Target: Target{PIDFile: "app.pid"}}, []string{`Target.PIDFile "app.pid": absolute`}},
		"elected to death":  {Config{Target: byName, OnElected: term}, []string{"OnElected SIGTERM: want HUP"}},
		"one for both":      {Config{Target: byName, OnElected: hup, OnLost: hup}, []string{"OnLost SIGHUP: want another"}},
		"a bare fence":      {Config{Target: byName, Fence: true}, []string{"Fence kill: want TERM"}},
		"a parked fence":    {Config{Target: byName, OnLost: stop, Fence: true}, []string{"Fence kill: want TERM SIGSTOP"}},
	} {
		t.Run(name, func(t *testing.T) {
			err := tc.cfg.Validate()
			rest := fmt.Sprint(err)
			for _, fault := range tc.want {
				for part := range strings.FieldsSeq(fault) {
					var found bool
					if _, rest, found = strings.Cut(rest, part); !found {
						t.Fatalf("%q is missing, or out of order, in: %v", part, err)
					}
				}
			}
			if n := len(field.Flatten(err)); n != len(tc.want) {
				t.Errorf("%d faults, want %d: %v", n, len(tc.want), err)
			}
		})
	}
}

func TestParseSignal(t *testing.T) {
	for _, tc := range []struct {
		in   string
		want Signo
		text string
	}{
		{"HUP", 1, "SIGHUP"},
		{"SIGHUP", 1, "SIGHUP"},
		{"hup", 1, "SIGHUP"},
		{"1", 1, "SIGHUP"},
		{"USR2", 12, "SIGUSR2"},
		{"SIGSTOP", 19, "SIGSTOP"},
		{"CONT", 18, "SIGCONT"},
		{"WINCH", 28, "SIGWINCH"},
		{"34", 34, "signal 34"},
		{"64", 64, "signal 64"},
	} {
		got, err := ParseSignal(tc.in)
		if err != nil || got != tc.want || got.String() != tc.text {
			t.Errorf("ParseSignal(%q): got %d, %s, %v; want %d, %s", tc.in, got, got, err, tc.want, tc.text)
		}
	}
	if got, err := ParseSignal(""); got != 0 || err != nil {
		t.Errorf("the empty signal: got %d, %v; want none", got, err)
	}
	for _, in := range []string{"FOO", "SIG", "0", "-1", "65", "32", "33", "SIGSIGHUP", " HUP", "1.0"} {
		if got, err := ParseSignal(in); err == nil || !strings.Contains(err.Error(), "HUP") {
			t.Errorf("ParseSignal(%q): got %d, %v; want an error that says what to write", in, got, err)
		}
	}
}
