//go:build linux

package charts

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/lease-sidecar/lease-sidecar/internal/address"
	"github.com/lease-sidecar/lease-sidecar/pkg/naming"
	"github.com/lease-sidecar/lease-sidecar/pkg/signals/podlabel"
	"github.com/lease-sidecar/lease-sidecar/pkg/signals/process"
	"github.com/lease-sidecar/lease-sidecar/pkg/signals/webhook"
	"github.com/lease-sidecar/lease-sidecar/test/harness"
)

// TestRefusals: either helm refuses, and says what to write instead.
func TestRefusals(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ chart, set, words string }{
		{"leader-web", `leaseSidecar.prefix="Acme"`, `leaseSidecar.prefix "Acme": want 1 to 52 lower-case letters`},
		{"leader-web", `leaseSidecar.leaseDuration="2s"`, `leaseSidecar.leaseDuration "2s": want whole seconds, such as 15s or 1m30s, at least 3s`},
		{"leader-web", `leaseSidecar.leaseDuration="1500ms"`, `want whole seconds`},
		{"leader-web", `leaseSidecar.leaseDuration="15"`, `want whole seconds`},
		{"leader-web", `leaseSidecar.leaseDuration=15`, `at '/leaseDuration': got number, want string`},
		{"leader-web", `leaseSidecar.stopTimeout="0s"`, `leaseSidecar.stopTimeout "0s": want whole seconds, such as 30s, at least 1s`},
		{"leader-web", `leaseSidecar.stopTimeout="45s"`, `terminationGracePeriodSeconds 45: want more than leaseSidecar.stopTimeout (45s), such as 60`},
		{"leader-web", `terminationGracePeriodSeconds=30`, `terminationGracePeriodSeconds 30: want more than leaseSidecar.stopTimeout (30s), such as 45`},
		{"leader-child", `terminationGracePeriodSeconds=30`, `terminationGracePeriodSeconds 30: want more than`},
		{"leader-stateful", `terminationGracePeriodSeconds=30`, `terminationGracePeriodSeconds 30: want more than`},
		{"leader-web", `leaseSidecar.drainTimeout="5"`, `leaseSidecar.drainTimeout "5": want a time such as 5s`},
		{"leader-web", `leaseSidecar.image.tag="latest"`, `leaseSidecar.image.tag "latest": want a version, such as 0.1.0`},
		{"leader-web", `leaseSidecar.image.tag="a b"`, `leaseSidecar.image.tag "a b": want a tag such as 0.1.0`},
		{"leader-web", `leaseSidecar.image.tag=""`, `leaseSidecar.image.tag "": want a tag such as 0.1.0`},
		{"leader-web", `leaseSidecar.image.repository="lease-sidecar:1"`, `want an image's name without its tag`},
		{"leader-web", `leaseSidecar.signalDir="signal"`, `leaseSidecar.signalDir "signal": want the absolute path`},
		{"leader-web", `leaseSidecar.httpAddress="0.0.0.256:80"`, `leaseSidecar.httpAddress "0.0.0.256:80": want off, an address`},
		{"leader-web", `leaseSidecar.httpAddress="127.0.0.1:4041"`, `want another port than leaseSidecar.probePort`},
		{"leader-web", `leaseSidecar.probePort=80`, `at '/probePort': minimum: got 80, want 1,024`},
		{"leader-web", `leaseSidecar.webhookUrl="http://me:secret@127.0.0.1/"`, `want a URL without user and fragment`},
		{"leader-web", `leaseSidecar.webhookUrl="http://169.254.169.254/"`, `that address is link-local or nobody's`},
		{"leader-web", `leaseSidecar.label="a/b/c"`, `leaseSidecar.label "a/b/c": want KEY or KEY=VALUE`},
		{"leader-web", `leaseSidecar.label="app.kubernetes.io/role"`, `want a key that is not Kubernetes' own`},
		{"leader-web", `leaseSidecar.health={"url":"http://127.0.0.1/","tcp":":1"}`, `leaseSidecar.health: want one of url, tcp and file`},
		{"leader-web", `leaseSidecar.health.url="127.0.0.1:8080"`, `leaseSidecar.health.url "127.0.0.1:8080": want a URL`},
		{"leader-web", `leaseSidecar.health.fileMaxAge="9s"`, `leaseSidecar.health.fileMaxAge: want health.file as well`},
		{"leader-web", `leaseSidecar.health.threshold=0`, `at '/health/threshold': minimum: got 0, want 1`},
		{"leader-web", `leaseSidecar.membership.sweep=true`, `leaseSidecar.membership.sweep: want membership.enabled as well`},
		{"leader-web", `leaseSidecar.process.onLost="TERM"`, `leaseSidecar.process: want name or pidFile as well`},
		{"leader-web", `leaseSidecar.process={"name":"web","onElected":"SIGTERM"}`, `want HUP, USR1, USR2 or CONT`},
		{"leader-web", `leaseSidecar.process={"name":"web","onElected":"USR1","onLost":"SIGUSR1"}`, `want another signal than onElected`},
		{"leader-web", `leaseSidecar.process={"name":"web","fence":"kill"}`, `leaseSidecar.process.fence kill: want onLost TERM`},
		{"leader-web", `leaseSidecar.process.name="/usr/bin/web"`, `want the bare name of a program`},
		{"leader-web", `leaseSidecar.mode="child"`, `leaseSidecar.mode "child": want native or classic`},
		{"leader-web", `leaseSidecar.mode="sidecar"`, `at '/mode': value must be one of 'native', 'classic', 'child'`},
		{"leader-child", `leaseSidecar.mode="native"`, `leaseSidecar.mode "native": want child`},
		{"leader-child", `leaseSidecar.process.name="web"`, `leaseSidecar.process: want nothing there in child mode`},
		{"leader-web", `leaseSidecar.onChildExit="exit"`, `leaseSidecar.onChildExit "exit": want mode child`},
		{"leader-web", `leaseSidecar.imageVolume=true`, `leaseSidecar.imageVolume: want mode child`},
		{"leader-web", `leaseSidecar.serviceAccount.create=false`, `leaseSidecar.serviceAccount.name: want the name of a ServiceAccount`},
		{"leader-web", `leaseSidecar.serviceAccount.name="it's"`, `leaseSidecar.serviceAccount.name "it's": want a name`},
		{"leader-web", `leaseSidecar.extraArgs=["--label=x"]`, `leaseSidecar.extraArgs "--label=x": want the value of leaseSidecar for that`},
		{"leader-web", `leaseSidecar.extraArgs=["--lease-name=x"]`, `leaseSidecar.extraArgs "--lease-name=x"`},
		{"leader-web", `leaseSidecar.extraArgs=["--"]`, `leaseSidecar.extraArgs "--"`},
		{"leader-web", `leaseSidecar.signalDirectory="/x"`, `additional properties 'signalDirectory' not allowed`},
		{"leader-web", `replicas=2`, `additional properties 'replicas' not allowed`},
		{"leader-web", `fullnameOverride="Web"`, `the workload "deployment/Web": want KIND/NAME`},
	} {
		for name, helm := range helms(t) {
			out, code := run(t, helm, "template", "web", chartDir(t, tc.chart), kubernetes, "--set-json", tc.set)
			if code == 0 || !strings.Contains(out, tc.words) {
				t.Errorf("%s, %s with --set-json %s: status %d, want the words %q in\n%.1000s", name, tc.chart, tc.set, code, tc.words, out)
			}
		}
	}
}

// TestRefusalsAtOnce: all faults are in one message, and an old cluster gets a hint.
func TestRefusalsAtOnce(t *testing.T) {
	out, code := run(t, harness.Helm(t), "template", "web", chartDir(t, "leader-web"), "--kube-version=1.28.0", "--set",
		"leaseSidecar.membership.enabled=true,leaseSidecar.prefix=A,leaseSidecar.leaseDuration=1s,leaseSidecar.image.tag=latest,leaseSidecar.label=x/")
	for _, words := range []string{"leaseSidecar.prefix", "leaseSidecar.leaseDuration", "leaseSidecar.image.tag", "leaseSidecar.label", "want classic on Kubernetes v1.28.0", "leaseSidecar.membership.policies: want false on Kubernetes v1.28.0"} {
		if code == 0 || !strings.Contains(out, "\n- "+words) && !strings.Contains(out, words) {
			t.Errorf("status %d, want %q in\n%s", code, words, out)
		}
	}
}

// TestProgramRefusesTheSame compares the chart with the program's own parsers: what either refuses, the other refuses.
func TestProgramRefusesTheSame(t *testing.T) {
	long := strings.Repeat("x", 60)
	for _, of := range []struct {
		value  string
		parse  func(string) error
		inputs []string
	}{
		{"prefix", naming.ValidatePrefix, []string{"a", "acme", "acme-2", "A", "-a", "a-", "a.b", "", long[:52], long[:53], "ä"}},
		{"label", func(s string) error { _, err := podlabel.ParseLabel(s); return err }, []string{
			"role", "example.com/role", "example.com/role=leader", "role=", "role=a.b_c-d", "a/b/c", "/role", "example.com/", "Example.com/role",
			"role=-x", "role=x-", "kubernetes.io/x", "x.kubernetes.io/x", "k8s.io/x", "node.k8s.io/x=y", "xkubernetes.io/x", "pod-template-hash",
			"example.com/pod-template-hash", long + "xxx", long + "xxxx", "role=" + long + "xxxx", "a b", "role=a=b", "example..com/x",
		}},
		{"httpAddress", func(s string) error { _, err := address.Parse(s); return err }, []string{
			"127.0.0.1:4040", ":4040", "localhost:4040", "[::1]:4040", "0.0.0.0:0", "127.0.0.1:65535", "127.0.0.1:65536", "127.0.0.1:99999", "127.0.0.1",
			"256.0.0.1:80", "1.2.3:80", "web:80", "127.0.0.1:http", "127.0.0.1:", "unix:/run/x.sock", "unix:", "unix:@x", "unix:/" + long + long, "http://x:1",
		}},
		{"webhookUrl", func(s string) error { _, err := webhook.ParseURL(s); return err }, []string{
			"http://127.0.0.1:8080/leadership", "https://hook.example.com/x?y=z", "http://[::1]:80/", "http://a", "ftp://a/", "127.0.0.1:80", "http://",
			"http://user:password@a/", "http://a/#x", "http://169.254.169.254/latest", "http://0.0.0.0/", "http://[fe80::1]/", "http://224.0.0.1/", "/x",
		}},
		{"process.onLost", func(s string) error { _, err := process.ParseSignal(s); return err }, []string{
			"TERM", "SIGTERM", "term", "sigusr2", "15", "64", "65", "0", "-1", "TERM KILL", "15.0",
		}},
	} {
		var elections []map[string]any
		for _, input := range of.inputs {
			values := map[string]any{of.value: input}
			if outer, inner, ok := strings.Cut(of.value, "."); ok {
				values = map[string]any{outer: map[string]any{inner: input, "name": "web"}}
			}
			elections = append(elections, map[string]any{"values": values})
		}
		printed := cases(t, map[string]any{"elections": elections})
		for i, input := range of.inputs {
			faults, err := printed[fmt.Sprintf("faults-%d", i)], of.parse(input)
			if (faults != "") != (err != nil) {
				t.Errorf("%s %q: the chart says %q, the program %v", of.value, input, faults, err)
			}
		}
	}

	workloads := []string{
		"deployment/web", "statefulset/a.b", "rollout/x", "deploy/web", "deployments/web", "sts/x", "pods/x", "cj/x", "deployment/", "/web", "web", "deployment/Web",
		"deployment/a/b", "a-b/c", "9/c", "deployment/-a", "deployment/a..b",
	}
	var elections []map[string]any
	for _, w := range workloads {
		elections = append(elections, map[string]any{"election": map[string]any{"workload": w}})
	}
	printed := cases(t, map[string]any{"elections": elections})
	for i, w := range workloads {
		_, err := naming.ParseWorkload(w)
		if faults := printed[fmt.Sprintf("faults-%d", i)]; (faults != "") != (err != nil) {
			t.Errorf("workload %q: the chart says %q, the program %v", w, faults, err)
		}
	}
}

var (
	setting = regexp.MustCompile(`\(list "([a-z-]+)" `)
	cliFlag = regexp.MustCompile("(?m)^\\| `--([a-z-]+)(?:[, =`][^|]*)\\|[^|]*\\| ([^|]*) \\|")
)

// TestFlagsAreThere: each flag that the library sets is one of "lease-sidecar run", and a default that values.yaml repeats is the program's.
func TestFlagsAreThere(t *testing.T) {
	page := readFile(t, filepath.Join(harness.ModuleRoot(t), "docs", "reference", "cli.md"))
	_, page, _ = strings.Cut(page, "\n## lease-sidecar run\n")
	page, _, _ = strings.Cut(page, "\n## lease-sidecar wait\n")
	defaults := map[string]string{}
	for _, m := range cliFlag.FindAllStringSubmatch(page, -1) {
		defaults[m[1]] = m[2]
	}
	settings := setting.FindAllStringSubmatch(readFile(t, filepath.Join(chartDir(t, library), "templates", "_args.tpl")), -1)
	if len(settings) < 20 {
		t.Fatalf("%d settings: has the way to write them changed?", len(settings))
	}
	for _, m := range settings {
		if _, ok := defaults[m[1]]; !ok {
			t.Errorf("lease-sidecar run has no flag --%s", m[1])
		}
	}
	values := readFile(t, filepath.Join(chartDir(t, library), "values.yaml"))
	for flag, line := range map[string]string{
		"lease-duration": "leaseDuration: ", "stop-timeout": "stopTimeout: ", "priority": "priority: ", "prefix": "prefix: ", "health-threshold": "  threshold: ",
	} {
		if want := "\n" + line + defaults[flag] + "\n"; !strings.Contains(values, want) {
			t.Errorf("values.yaml has no line %q: the program's default of --%s is %s", line+defaults[flag], flag, defaults[flag])
		}
	}
}

// TestTemplatesAreShort: no template of the charts is longer than what one reads at a sitting.
func TestTemplatesAreShort(t *testing.T) {
	paths, err := filepath.Glob(filepath.Join(chartDir(t, "*"), "templates", "*"))
	if err != nil || len(paths) < 20 {
		t.Fatalf("%d templates, %v", len(paths), err)
	}
	for _, path := range paths {
		if text, err := os.ReadFile(path); err == nil && strings.Count(string(text), "\n") > 120 {
			t.Errorf("%s has %d lines, want at most 120", path, strings.Count(string(text), "\n"))
		}
	}
}
