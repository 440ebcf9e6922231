//go:build linux

package charts

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

// effect is a value that differs from the default, and what the manifests then have that they had not.
type effect struct{ set, want string }

// libraryEffects are the effects of the library's values, below leaseSidecar in the charts.
var libraryEffects = map[string][]effect{
	"leader-web": {
		{`image.repository="registry.example.com/sidecar"`, `image: "registry.example.com/sidecar:`},
		{`image.tag="1.2.3"`, `lease-sidecar:1.2.3"`},
		{`image.pullPolicy="Never"`, "imagePullPolicy: Never"},
		{`mode="classic"`, "containers:\n        - name: lease-sidecar"},
		{`prefix="acme"`, "- --prefix=acme"},
		{`leaseDuration="1m30s"`, "- --lease-duration=1m30s"},
		{`stopTimeout="20s"`, "- --stop-timeout=20s"},
		{`drainTimeout="5s"`, "- --drain-timeout=5s"},
		{`onLoss="exit"`, "- --on-loss=exit"},
		{`priority=0`, "- --priority=0\n"},
		{`allowStepDown=false`, "- --allow-step-down=false"},
		{`signalDir="/signal"`, "lease-signal, mountPath: /signal, readOnly: true"},
		{`httpAddress="off"`, "- --http-address=off"},
		{`probePort=5041`, "lease-probe, containerPort: 5041"},
		{`webhookUrl="http://127.0.0.1:9/x?a=b"`, "- --webhook-url=http://127.0.0.1:9/x?a=b"},
		{`label="example.com/role=boss"`, `{name: value, expression: "'boss'"}`},
		{`label="example.com/role=boss"`, "verbs: [get, list, patch]"},
		{`events=true`, "resources: [events]\n    verbs: [create]"},
		{`events=true`, "- --events=true"},
		{`membership.enabled=true`, "- --membership=true"},
		{`membership.enabled=true`, "    verbs: [get, list, watch, create, update]"},
		{`membership.enabled=true`, "name: default.web-leader-web.members"},
		{`membership.enabled=true`, "name: default.web-leader-web.election"},
		{`membership={"enabled":true,"sweep":true}`, "- --member-sweep=true"},
		{`membership={"enabled":true,"sweep":true}`, "verbs: [get, list, watch, create, update, delete]"},
		{`health.url="http://127.0.0.1:8080/"`, "- --health-url=http://127.0.0.1:8080/"},
		{`health.url="http://127.0.0.1:8080/"`, "- --health-threshold=3"},
		{`health.tcp=":8080"`, "- --health-tcp=:8080"},
		{`health.file="/x/ok"`, "- --health-file=/x/ok"},
		{`health={"file":"/x/ok","fileMaxAge":"9s"}`, "- --health-file-max-age=9s"},
		{`health.interval="2s"`, "- --health-interval=2s"},
		{`health={"tcp":":8080","threshold":7}`, "- --health-threshold=7"},
		{`health.startGrace="9s"`, "- --health-start-grace=9s"},
		{`health.provesStop=false`, "- --health-proves-stop=false"},
		{`health.whenAllUnhealthy="lead"`, "- --when-all-unhealthy=lead"},
		{`process.name="web"`, "shareProcessNamespace: true"},
		{`process.pidFile="/run/web.pid"`, "- --pid-file=/run/web.pid"},
		{`process={"name":"web","onElected":"USR1"}`, "- --on-elected=USR1"},
		{`process={"name":"web","onLost":"TERM"}`, "- --on-lost=TERM"},
		{`process={"name":"web","onLost":"TERM","fence":"kill"}`, "- --fence=kill"},
		{`process.watchAll=true`, "- --watch-processes=all"},
		{`logLevel="debug"`, "- --log-level=debug"},
		{`extraArgs=["--renew-interval=2s"]`, "- --renew-interval=2s"},
		{`resources={"limits":{"cpu":"7"}}`, `cpu: "7"`},
		{`securityContext.runAsUser=7`, "runAsUser: 7\n"},
		{`serviceAccount={"create":false,"name":"mine"}`, "serviceAccountName: mine"},
		{`serviceAccount.name="mine"`, "kind: ServiceAccount\nmetadata:\n  name: mine"},
		{`serviceAccount.annotations={"a":"b"}`, "annotations:\n    a: b"},
		{`rbac.extraRules=[{"apiGroups":[""],"resources":["pods"],"verbs":["get"]}]`, "- apiGroups:\n    - \"\"\n    resources:\n    - pods"},
		{`podMonitor.enabled=true`, "kind: PodMonitor"},
		{`podMonitor={"enabled":true,"interval":"9s"}`, "interval: 9s"},
		{`podMonitor={"enabled":true,"labels":{"release":"prometheus"}}`, "release: prometheus"},
		{`prometheusRule.enabled=true`, "alert: LeaseSidecarTwoLeaders"},
		{`prometheusRule={"enabled":true,"labels":{"release":"prometheus"}}`, "release: prometheus"},
		{`networkPolicy.enabled=true`, "policyTypes: [Ingress]"},
		{`networkPolicy={"enabled":true,"metricsFrom":[{"podSelector":{}}]}`, "from:\n        - podSelector: {}"},
		{`networkPolicy={"enabled":true,"apiServer":["10.0.0.1/32"]}`, "policyTypes: [Ingress, Egress]"},
		{`networkPolicy={"enabled":true,"apiServer":["10.0.0.1/32"]}`, "- ipBlock: {cidr: 10.0.0.1/32}"},
		{`networkPolicy={"enabled":true,"ingress":[{"ports":[{"port":7}]}]}`, "- ports:\n      - port: 7"},
		{`networkPolicy={"enabled":true,"apiServer":["10.0.0.1/32"],"egress":[{"ports":[{"port":7}]}]}`, "- ports:\n      - port: 7"},
	},
	"leader-child": {
		{`imageVolume=true`, "image: {reference: \""},
		{`onChildExit="exit"`, "- --on-child-exit=exit"},
	},
}

// offs are values that take something away.
var offs = []struct{ chart, with, set, lost string }{
	{"leader-web", `leaseSidecar.events=true`, `leaseSidecar.rbac.create=false`, "kind: Role"},
	{"leader-web", `leaseSidecar.label="example.com/role"`, `leaseSidecar.rbac.labelPolicy=false`, "kind: ValidatingAdmissionPolicy"},
	{"leader-web", `leaseSidecar.membership.enabled=true`, `leaseSidecar.membership.policies=false`, "kind: ValidatingAdmissionPolicy"},
	{"leader-web", `replicaCount=3`, `leaseSidecar.serviceAccount={"create":false,"name":"mine"}`, "kind: ServiceAccount\nmetadata"},
	{"leader-web", `leaseSidecar.prometheusRule.enabled=true`, `leaseSidecar.prometheusRule.allElections=false`, "alert: LeaseSidecarTwoLeaders"},
	{"leader-web", `replicaCount=3`, `podDisruptionBudget.enabled=false`, "kind: PodDisruptionBudget"},
	{"leader-stateful", `replicaCount=3`, `leaseSidecar.label=""`, "-primary\n"},
}

// sharedEffects are those of the values that all charts have. They are set together.
var sharedEffects = []effect{
	{`replicaCount=7`, "replicas: 7"},
	{`image.repository="registry.example.com/app"`, `image: "registry.example.com/app:`},
	{`image.tag="9.9"`, `:9.9"`},
	{`image.pullPolicy="Always"`, "imagePullPolicy: Always"},
	{`imagePullSecrets=[{"name":"secret"}]`, "imagePullSecrets:\n        - name: secret"},
	{`nameOverride="other"`, "app.kubernetes.io/name: other"},
	{`fullnameOverride="whole"`, "\n  name: whole\n"},
	{`command=["/app/web"]`, "- /app/web"},
	{`env=[{"name":"A","value":"b"}]`, "- name: A\n              value: b"},
	{`terminationGracePeriodSeconds=77`, "terminationGracePeriodSeconds: 77"},
	{`podAnnotations={"note":"b"}`, "        note: b\n"},
	{`podLabels={"mark":"b"}`, "        mark: b\n"},
	{`podSecurityContext.fsGroup=7`, "fsGroup: 7\n"},
	{`securityContext.runAsUser=7`, "runAsUser: 7\n"},
	{`resources={"limits":{"cpu":"7"}}`, `cpu: "7"`},
	{`volumes=[{"name":"more","emptyDir":{}}]`, "name: more"},
	{`volumeMounts=[{"name":"tmp","mountPath":"/more"}]`, "mountPath: /more"},
	{`nodeSelector={"a":"b"}`, "nodeSelector:\n        a: b"},
	{`tolerations=[{"operator":"Exists"}]`, "tolerations:\n        - operator: Exists"},
	{`affinity={"podAntiAffinity":{}}`, "affinity:\n        podAntiAffinity: {}"},
}

// ownEffects are those of the other values.
var ownEffects = map[string][]effect{
	"leader-web": {
		{`args=["serve"]`, "- serve"},
		{`containerPort=7070`, "http, containerPort: 7070"},
		{`hostNetwork=true`, "- --http-address=unix:/var/run/lease-sidecar/http.sock"},
		{`livenessProbe={"httpGet":{"path":"/alive","port":"http"}}`, "path: /alive"},
		{`readinessProbe.httpGet.path="/ready"`, "path: /ready\n"},
		{`topologySpreadConstraints=[{"topologyKey":"zone"}]`, "- topologyKey: zone"},
		{`service.type="NodePort"`, "type: NodePort"},
		{`service.port=77`, "http, port: 77,"},
		{`leaderService.enabled=true`, "- --label=lease-sidecar.dev/role\n"},
		{`leaderService={"enabled":true,"type":"NodePort"}`, "type: NodePort"},
		{`leaderService={"enabled":true,"port":77}`, "http, port: 77,"},
		{`podDisruptionBudget.maxUnavailable="40%"`, "maxUnavailable: 40%"},
	},
	"leader-stateful": {
		{`args=["serve"]`, "- serve"},
		{`containerPort=7070`, "http, containerPort: 7070"},
		{`persistence.enabled=true`, "volumeClaimTemplates:"},
		{`persistence={"enabled":true,"size":"7Gi"}`, "storage: 7Gi"},
		{`persistence={"enabled":true,"storageClass":"fast"}`, "storageClassName: fast"},
		{`primaryService.port=77`, "http, port: 77,"},
	},
}

// isWhole tells a map that Kubernetes defines, and that counts as one value.
func isWhole(name string) bool {
	return slices.Contains([]string{"resources", "securityContext", "podSecurityContext", "readinessProbe", "livenessProbe"}, name)
}

// leaves are the names of the values that a chart has, such as image.tag.
func leaves(t *testing.T, chart string) []string {
	t.Helper()
	var values map[string]any
	if err := yaml.Unmarshal([]byte(readFile(t, filepath.Join(chartDir(t, chart), "values.yaml"))), &values); err != nil {
		t.Fatal(err)
	}
	var found []string
	var walk func(prefix string, of map[string]any)
	walk = func(prefix string, of map[string]any) {
		for name, value := range of {
			if inner, ok := value.(map[string]any); ok && len(inner) > 0 && !isWhole(name) {
				walk(prefix+name+".", inner)
			} else {
				found = append(found, prefix+name)
			}
		}
	}
	walk("", values)
	slices.Sort(found)
	return found
}

var jsonKey = regexp.MustCompile(`[{,]"(\w+)":`)

// touched are the values that a setting changes: image.tag="1" the value image.tag, health={"url":…} also health.url.
func touched(set string) []string {
	name, value, _ := strings.Cut(set, "=")
	all := []string{name}
	for _, m := range jsonKey.FindAllStringSubmatch(value, -1) {
		all = append(all, name+"."+m[1])
	}
	return all
}

// TestValues sets each value of each chart, and looks for what it should change.
func TestValues(t *testing.T) {
	t.Parallel()
	covered := map[string]map[string]bool{library: {}}
	defaults := map[string]string{}
	// try renders the chart with all the settings at once.
	try := func(t *testing.T, chart, of, prefix string, effects ...effect) {
		t.Helper()
		var args []string
		for _, e := range effects {
			args = append(args, "--set-json", prefix+e.set)
		}
		out := render(t, chartDir(t, chart), args...)
		objects(t, out)
		for _, e := range effects {
			if strings.Contains(defaults[chart], e.want) || !strings.Contains(out, e.want) {
				t.Errorf("%s: want %q with --set-json %s, and not without", chart, e.want, prefix+e.set)
			}
			for _, value := range touched(e.set) {
				covered[of][value] = true
			}
		}
	}
	for _, chart := range applications {
		covered[chart], defaults[chart] = map[string]bool{}, render(t, chartDir(t, chart))
		for _, e := range libraryEffects[chart] {
			try(t, chart, library, "leaseSidecar.", e)
		}
		try(t, chart, chart, "", sharedEffects...)
		for _, e := range ownEffects[chart] {
			try(t, chart, chart, "", e)
		}
	}
	for _, off := range offs {
		with := render(t, chartDir(t, off.chart), "--set-json", off.with)
		without := render(t, chartDir(t, off.chart), "--set-json", off.with, "--set-json", off.set)
		if !strings.Contains(with, off.lost) || strings.Contains(without, off.lost) {
			t.Errorf("%s with --set-json %s: want %q gone", off.chart, off.set, off.lost)
		}
		name, value := off.chart, off.set
		if inner, ok := strings.CutPrefix(value, "leaseSidecar."); ok {
			name, value = library, inner
		}
		for _, value := range touched(value) {
			covered[name][value] = true
		}
	}
	for chart, values := range covered {
		for _, value := range leaves(t, chart) {
			if strings.HasPrefix(value, "leaseSidecar.") {
				continue // the library's
			}
			if !values[value] && !values[value+".runAsUser"] && !values[value+".fsGroup"] && !values[value+".httpGet.path"] {
				t.Errorf("no test changes the value %s of %s", value, chart)
			}
		}
	}
}

var update = flag.Bool("update", false, "write the tables of values into the README files of the charts")

// valuesTable is what stands between the two marks in a chart's README.
var valuesTable = regexp.MustCompile(`(?s)(<!-- values\.yaml: make docs writes this table -->\n)(.*?)(<!-- end -->)`)

// TestValuesTables: the README of each chart has a row for each value, with its default and the comment of values.yaml.
func TestValuesTables(t *testing.T) {
	for _, chart := range append([]string{library}, applications...) {
		want := table(readFile(t, filepath.Join(chartDir(t, chart), "values.yaml")))
		path := filepath.Join(chartDir(t, chart), "README.md")
		page := readFile(t, path)
		at := valuesTable.FindStringSubmatchIndex(page)
		switch {
		case at == nil:
			t.Errorf("%s has no table of values", path)
		case page[at[4]:at[5]] != want && *update:
			if err := os.WriteFile(path, []byte(page[:at[4]]+want+page[at[5]:]), 0o600); err != nil {
				t.Error(err)
			}
		case page[at[4]:at[5]] != want:
			t.Errorf("%s: the table of values is not that of values.yaml: run make docs", path)
		}
		rows := map[string]bool{}
		for _, row := range regexp.MustCompile("(?m)^\\| `([\\w.]+)`").FindAllStringSubmatch(want, -1) {
			rows[row[1]] = true
		}
		for _, value := range leaves(t, chart) {
			if !rows[value] {
				t.Errorf("the table of %s has no row for %s; it has %v", chart, value, slices.Sorted(maps.Keys(rows)))
			}
		}
	}
}

var valueLine = regexp.MustCompile(`^( *)(\w+):(?: (.*))?$`)

// table makes a table of a values.yaml: its values in their order, with the default and the comment above each.
func table(values string) string {
	var out strings.Builder
	out.WriteString("| value | default | what it does |\n| --- | --- | --- |\n")
	var comment, path []string
	lines := strings.Split(values, "\n")
	for i, line := range lines {
		if text, ok := strings.CutPrefix(strings.TrimSpace(line), "# "); ok {
			if !strings.HasPrefix(text, " ") { // else an example
				comment = append(comment, text)
			}
			continue
		}
		m := valueLine.FindStringSubmatch(line)
		if m == nil {
			comment = nil
			continue
		}
		path = append(path[:len(m[1])/2], m[2])
		said := strings.ReplaceAll(strings.Join(comment, " "), "|", "\\|")
		comment = nil
		if slices.ContainsFunc(path[:len(path)-1], isWhole) {
			continue
		}
		given := "`" + m[3] + "`"
		if m[3] == "" {
			section := !isWhole(m[2]) && !strings.HasPrefix(strings.TrimSpace(lines[i+1]), "- ")
			if section && said == "" {
				continue
			}
			given = map[bool]string{true: "", false: "see values.yaml"}[section]
		}
		fmt.Fprintf(&out, "| `%s` | %s | %s |\n", strings.Join(path, "."), given, said)
	}
	return out.String()
}
