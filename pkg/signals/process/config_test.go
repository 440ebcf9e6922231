package process

import (
	"strings"
	"testing"
)

func TestValidateNamesTheFlagAndTheMend(t *testing.T) {
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
		"no target":         {Config{OnElected: hup, OnLost: term}, []string{"--on-elected SIGHUP: --process-name or --pid-file", "--on-lost SIGTERM: --process-name"}},
		"a path for a name": {Config{Target: Target{Name: "/usr/bin/app"}}, []string{`--process-name "/usr/bin/app": "app"`}},
		"a relative file":   {Config{Target: Target{PIDFile: "app.pid"}}, []string{`--pid-file "app.pid": absolute`}},
		"elected to death":  {Config{Target: byName, OnElected: term}, []string{"--on-elected SIGTERM: choose HUP"}},
		"one for both":      {Config{Target: byName, OnElected: hup, OnLost: hup}, []string{"--on-lost SIGHUP: choose another"}},
		"a bare fence":      {Config{Target: byName, Fence: true}, []string{"--fence kill: add --on-lost TERM"}},
		"a parked fence":    {Config{Target: byName, OnLost: stop, Fence: true}, []string{"--fence kill: --on-lost SIGSTOP take --on-lost TERM"}},
	} {
		t.Run(name, func(t *testing.T) {
			got := ""
			if err := tc.cfg.Validate(); err != nil {
				got = err.Error()
			}
			rest := got
			for _, fault := range tc.want {
				for part := range strings.FieldsSeq(fault) {
					var found bool
					if _, rest, found = strings.Cut(rest, part); !found {
						t.Fatalf("%q is missing, or out of order, in: %s", part, got)
					}
				}
			}
			if n := strings.Count(got, "\t*"); n != len(tc.want) {
				t.Errorf("%d faults, want %d: %s", n, len(tc.want), got)
			}
		})
	}
}
