package main

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestFromClassic(t *testing.T) {
	const today = "run --compat=classic --lease-name=web --namespace=default "
	for _, c := range []struct{ name, args, want string }{
		{"a command of today", "run --identity a", "run --identity a"},
		{"help", "--help", "--help"},
		{"nothing", "", ""},
		{"an argument that looks classic after a command", "run --http x", "run --http x"},
		{"the name alone", "--election=web", today + "--http-address=off --lease-duration=10s --probe-address=off"},
		{
			"all of it", "--election=web --election-namespace=apps --id=web-0 --http=0.0.0.0:4040 --ttl=15s --use-cluster-credentials=true",
			"run --compat=classic --lease-name=web --namespace=apps --identity=web-0 --http-address=0.0.0.0:4040 --lease-duration=15s --probe-address=off",
		},
		{
			"a single dash, values apart", "-use-cluster-credentials -election web -id web-0 -http localhost:4040 -ttl 1m",
			"run --compat=classic --lease-name=web --namespace=default --identity=web-0 --http-address=localhost:4040 --lease-duration=1m --probe-address=off",
		},
		{"the last of two", "--election=a --election=web", today + "--http-address=off --lease-duration=10s --probe-address=off"},
		{
			"with flags of today, which win", "--election=web --probe-address=:4041 --log-format text --placement native",
			today + "--http-address=off --lease-duration=10s --probe-address=off --probe-address=:4041 --log-format text --placement native",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := fromClassic(append([]string{"lease-sidecar"}, strings.Fields(c.args)...))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, strings.Join(got[1:], " ")); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestFromClassicLeavesVariablesAlone(t *testing.T) {
	t.Setenv("LEASE_SIDECAR_PROBE_ADDRESS", ":4041")
	got, err := fromClassic([]string{"lease-sidecar", "--election=web"})
	if err != nil || strings.Contains(strings.Join(got, " "), "probe-address") {
		t.Errorf("got %q, %v: a variable must win over a default", got, err)
	}
}

// Every fault at once, under the names that the user gave.
func TestFromClassicRefuses(t *testing.T) {
	_, err := fromClassic(strings.Fields("lease-sidecar --ttl=2s --use-cluster-credentials=perhaps --http"))
	if exitCode(err) != exitFault {
		t.Fatalf("got %v, want a configuration fault", err)
	}
	for _, want := range []string{"4 configuration faults", "--election=NAME", `--ttl "2s"`, `--use-cluster-credentials "perhaps"`, "--http=VALUE"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q in it", err, want)
		}
	}
	for _, ttl := range []string{"3500ms", "soon", "10"} {
		if _, err := fromClassic([]string{"lease-sidecar", "--election=a", "--ttl", ttl}); err == nil {
			t.Errorf("--ttl %s is taken", ttl)
		}
	}
}
