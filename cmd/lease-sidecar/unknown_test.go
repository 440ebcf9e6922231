package main

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
)

// What is misspelt is warned about; what Kubernetes or a sidecar above sets is not.
func TestUnknownVariables(t *testing.T) {
	for variable, want := range map[string]string{
		"LEASE_SIDECAR_STOP_TIMOUT=3":                     "did_you_mean=LEASE_SIDECAR_STOP_TIMEOUT",
		"LEASE_SIDECAR_LEASE_DURATIONS=secret":            "did_you_mean=LEASE_SIDECAR_LEASE_DURATION",
		"LEASE_SIDECAR_=x":                                "variable=LEASE_SIDECAR_\n",
		"LEASE_SIDECAR_SERVICE_HOSTS=x":                   "variable=LEASE_SIDECAR_SERVICE_HOSTS\n",
		"LEASE_SIDECAR_PORTS=x":                           "variable=LEASE_SIDECAR_PORTS",
		"LEASE_SIDECAR_VALID_UNTIL=x":                     "reason=UnknownVariable variable=LEASE_SIDECAR_VALID_UNTIL\n",
		"LEASE_SIDECAR_STOP_TIMOUT=":                      "",
		"LEASE_SIDECAR_STOP_TIMEOUT=3s":                   "",
		"LEASE_SIDECAR_TIMEOUT=3s":                        "", // another command's
		"LEASE_SIDECARS=1":                                "",
		"PATH=/bin":                                       "",
		"LEASE_SIDECAR_SERVICE_HOST=10.0.0.1":             "",
		"LEASE_SIDECAR_SERVICE_PORT=4040":                 "",
		"LEASE_SIDECAR_SERVICE_PORT_HTTP_WEB=4040":        "",
		"LEASE_SIDECAR_PORT=tcp://10.0.0.1:4040":          "",
		"LEASE_SIDECAR_PORT_4040_TCP=tcp://10.0.0.1:4040": "",
		"LEASE_SIDECAR_PORT_4040_TCP_ADDR=10.0.0.1":       "",
		"LEASE_SIDECAR_PORT_4040_TCP_PORT=4040":           "",
		"LEASE_SIDECAR_PORT_4040_TCP_PROTO=tcp":           "",
		"LEASE_SIDECAR_PORT_53_UDP=udp://10.0.0.1:53":     "",
		"LEADERSHIP_SINCE=then":                           "", // of a sidecar that runs this one
	} {
		var out bytes.Buffer
		warnOfUnknown(slog.New(slog.NewTextHandler(&out, nil)), []string{variable})
		got := out.String()
		switch {
		case want == "" && got != "":
			t.Errorf("%s: warned: %s", variable, got)
		case want != "" && (!strings.Contains(got, want) || !strings.Contains(got, "level=WARN")):
			t.Errorf("%s: got %q; want it to contain %q", variable, got, want)
		case strings.Contains(got, "secret"):
			t.Errorf("%s: the value is logged: %s", variable, got)
		}
	}
}
