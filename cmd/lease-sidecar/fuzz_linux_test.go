package main

import (
	"bytes"
	"io"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/lease-sidecar/lease-sidecar/internal/address"
	"github.com/lease-sidecar/lease-sidecar/internal/sidecar"
	"github.com/lease-sidecar/lease-sidecar/pkg/field"
	"github.com/lease-sidecar/lease-sidecar/pkg/naming"
)

// FuzzSettings gives `run`, or the classic sidecar's command line, any arguments (a line each) and any variables
// (NAME=value, a line each). What comes of them is settings that the election and the listeners take as they are, the
// help that was asked for, or a configuration fault that names what to fix; and nothing is started or written for it.
func FuzzSettings(f *testing.F) {
	f.Chdir(f.TempDir())
	f.Setenv("HOME", f.TempDir())
	f.Setenv("KUBECONFIG", "")
	for _, c := range []struct {
		args, env string
		classic   bool
	}{
		{"--workload=deployment/web\n--store=dir:leases\n--identity=a", "", false},
		{"--workload\ndeployment/web\n--store\ndir:leases\n--lease-duration=3s\n--renew-interval\n1s\n--\nsh\n-c\ntrue", "LEASE_SIDECAR_FOREIGN_GRACE=0\nPOD_NAME=web-0", false},
		{"--lease-duration=1.5s\n--priority=11\n--http-address=x\n--label=a/\n--webhook-url=ftp://x", "LEASE_SIDECAR_STORE=", false},
		{"", "LEASE_SIDECAR_STORE=dir:leases\nPOD_NAME=web-6d4cf56db6-x7k2p\nPOD_LABEL_POD_TEMPLATE_HASH=6d4cf56db6\nPOD_UID=0b1f6f0e-38c1-4d0c-9a43-2f6e0f6f7a11", false},
		{"--election=web\n--http=0.0.0.0:4040\n--ttl=10s\n--store=dir:leases", "LEASE_SIDECAR_PLACEMENT=native", true},
		{"-election\nweb\n--ttl\n3500ms\n--http", "", true},
		{"--on-lost=STOP\n--on-elected=CONT\n--process-name=web\n--fence=kill\n--health-tcp=localhost:1\n--health-while=", "LEASE_SIDECAR_EVENTS=true", false},
		{"--help", "", false},
		{"--lease-name=web\n--store=dir:leases\n--health-interval=1ms", "", false},
		{"--lease-name=web\n--store=dir:leases\n--http-address=web:4040", "", false},
		{"--lease-name=web\n--store=dir:leases\n--namespace=A_b", "", false},
		{"--lease-duration=600000h\n--workload=deployment/web\n--store=dir:leases", "", false},
		{"--foreign-grace=2540400h\n--workload=deployment/web\n--store=dir:leases", "", false},
		{"stray", "LEASE_SIDECAR_HEALTH_THRESHOLD=1001\nLEASE_SIDECAR_ALLOW_STEP_DOWN=yes", false},
	} {
		f.Add(c.args, c.env, c.classic)
	}
	f.Fuzz(func(t *testing.T, args, env string, classic bool) {
		setAll(t, env)
		s, read, shown, err := configure(args, classic)
		switch {
		case err != nil:
			checkFault(t, err)
		case read:
			checkSettings(t, s)
		case shown == "":
			t.Fatalf("%q, %q: no settings, no fault, and nothing shown", args, env)
		}
		if left, err := os.ReadDir("."); err != nil || len(left) > 0 {
			t.Fatalf("%q, %q: it left %v, %v", args, env, left, err)
		}
	})
}

var ourVariable = regexp.MustCompile(`^(LEASE_SIDECAR_[A-Z_]+|POD_[A-Z_]+)$`)

// setAll sets the variables that are ours to read; others may be the test's own.
func setAll(t *testing.T, env string) {
	t.Helper()
	for line := range strings.Lines(env) {
		name, value, ok := strings.Cut(strings.TrimSuffix(line, "\n"), "=")
		if ok && ourVariable.MatchString(name) && !strings.Contains(value, "\x00") {
			t.Setenv(name, value)
		}
	}
}

// configure is run up to where the campaign would begin.
func configure(args string, classic bool) (s sidecar.Config, read bool, shown string, err error) {
	line := []string{"lease-sidecar"}
	if !classic {
		line = append(line, "run")
	}
	if args != "" {
		line = append(line, strings.Split(args, "\n")...)
	}
	own, child := splitChild(line)
	own, err = fromClassic(own)
	if err != nil {
		return sidecar.Config{}, false, "", err
	}
	if len(own) < 2 || own[1] != "run" {
		return sidecar.Config{}, false, "another command's", nil
	}
	var out bytes.Buffer
	app := newApp(child, strings.NewReader(""), &out, io.Discard)
	app.Command("run").Action = onlyOwnArguments(func(c *cli.Context) error {
		read = true
		a := answersOf(c)
		s, _ = a.config()
		err = a.err()
		return err
	}, child, true)
	err = app.Run(own)
	return s, read && err == nil, out.String(), err
}

// checkFault asks for the exit code of a configuration fault, and for a name in each.
func checkFault(t *testing.T, err error) {
	t.Helper()
	if exitCode(err) != exitFault {
		t.Fatalf("exit code %d: %v", exitCode(err), err)
	}
	for _, single := range field.Flatten(err) {
		text := complaint(single)
		if !regexp.MustCompile(`-[a-zA-Z-]+|POD_|run `).MatchString(text) {
			t.Fatalf("a fault that names nothing: %q", text)
		}
	}
}

// checkSettings asks again, of those who will use them.
func checkSettings(t *testing.T, s sidecar.Config) {
	t.Helper()
	identity, err := s.Replica.Identity(true)
	if err != nil {
		t.Fatalf("candidate %+v: %v", s.Replica, err)
	}
	if _, err := s.Replica.Identity(false); err != nil {
		t.Fatalf("candidate %+v: %v", s.Replica, err)
	}
	e := s.Election
	e.Identity = identity
	if err := e.Validate(); err != nil {
		t.Fatalf("%+v: %v", e, err)
	}
	if e.RenewDeadline+e.KillMargin() > e.Duration*9/10 || e.KillMargin() <= 0 || e.Duration.Seconds() > 1<<31-1 || e.ForeignGrace+1<<31*time.Second < 0 {
		t.Fatalf("deadline %v and margin %v of %v", e.RenewDeadline, e.KillMargin(), e.Duration)
	}
	if _, err := naming.ParseLeaseName(e.Lease); err != nil || naming.ValidateNamespace(e.Namespace) != nil {
		t.Fatalf("Lease %q in %q: %v", e.Lease, e.Namespace, err)
	}
	for _, text := range []string{s.HTTPAddress, s.ProbeAddress} {
		if _, err := address.Parse(text); text != "" && err != nil {
			t.Fatalf("listens at %q", text)
		}
	}
	if s.Store.Dir == "" && s.Store.REST == nil || s.DrainTimeout < 0 || e.ForeignGrace < 0 {
		t.Fatalf("%+v", s)
	}
	if w := s.Webhook; w != nil && (w.Timeout <= 0 || len(w.Success) == 0) {
		t.Fatalf("webhook %+v", w)
	}
	if c := s.Health; c.Validate() != nil {
		t.Fatalf("health %+v", c)
	}
	if s.Command != nil && len(s.Command) == 0 {
		t.Fatal("an empty command")
	}
}
