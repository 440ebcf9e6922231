package status

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	coordinationv1 "k8s.io/api/coordination/v1"
	"sigs.k8s.io/yaml"

	"github.com/lease-sidecar/lease-sidecar/pkg/lease/kube"
)

// FuzzRows shows Leases that anybody may have written, beside a sound one: a row each in the table, whose cells are all printable, a document
// each in valid JSON that holds no character for a terminal, and sentences on a line each.
func FuzzRows(f *testing.F) {
	for _, o := range []coordinationv1.Lease{
		leaseOf(), leaseOf(released), leaseOf(clientGo), memberOf("web-0"), heartbeat("node-1"), server(),
		leaseOf(held("\x1b]0;title\a\u202e\nNAME"), named("a\tb\x00"), renewed(-1000000*time.Hour), lasting(-1), version("")),
		leaseOf(held("a\u009b31m \u202e\U000e0041\x01\u2063"), annotated("lease-sidecar.dev/workload", `\x01\U00000000 "'`+"\u2028\u0085 "+strings.Repeat("long ", 50))),
		memberOf("\x1b[2Jweb", held(strings.Repeat("x", 100_000))),
	} {
		text, err := json.Marshal(&o)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text, int64(0), int64(time.Second))
		f.Add(text, int64(-1<<62), int64(1<<62))
	}
	f.Fuzz(func(t *testing.T, object []byte, wall, later int64) {
		o := coordinationv1.Lease{}
		if json.Unmarshal(object, &o) != nil {
			return
		}
		p := Picture{}
		p.Replace([]coordinationv1.Lease{o, leaseOf(named("sound")), memberOf("web-1")}, at(0))
		checkShown(t, p, Moment{Boot: at(0).Boot, Wall: noon.Add(time.Duration(wall))})
		again := *o.DeepCopy()
		again.ResourceVersion += "1"
		p.Apply(kube.Change{Lease: &again}, at(time.Duration(later)))
		checkShown(t, p, at(time.Duration(later)))
	})
}

// checkShown shows a picture in every way.
func checkShown(t *testing.T, p Picture, now Moment) {
	t.Helper()
	r := Judge([]Picture{p}, now)
	tables := 0
	for _, n := range []int{len(r.Elections), len(r.Members), len(r.Nodes), len(r.Servers), len(r.Others)} {
		if n > 0 {
			tables++
		}
	}
	text := tableOf(t, r, Show{Wide: true, Namespaces: true})
	if want := len(p.leases) + 2*tables - 1; strings.Count(text, "\n") != want {
		t.Fatalf("%d lines, want %d:\n%q", strings.Count(text, "\n"), want, text)
	}
	for line := range strings.Lines(text) {
		checkLine(t, strings.TrimSuffix(line, "\n"))
	}
	for _, e := range r.Elections {
		for _, local := range []bool{true, false} {
			for _, line := range r.explain(e, local) {
				checkLine(t, line)
			}
		}
	}
	var b strings.Builder
	if err := writeJSON(&b, list{r.documents()}); err != nil {
		t.Fatal(err)
	}
	if !json.Valid([]byte(b.String())) || strings.ContainsFunc(strings.ReplaceAll(b.String(), "\n", ""), func(r rune) bool { return hidden(r) }) {
		t.Fatalf("JSON: %q", b.String())
	}
	var y strings.Builder
	if err := writeYAML(&y, list{r.documents()}); err != nil {
		t.Fatal(err)
	}
	if strings.ContainsFunc(strings.ReplaceAll(y.String(), "\n", ""), hidden) {
		t.Fatalf("a hidden character in YAML: %q", y.String())
	}
	var fromJSON, fromYAML any
	if err := yaml.Unmarshal([]byte(y.String()), &fromYAML); err != nil {
		t.Fatalf("%v in %q", err, y.String())
	}
	if err := json.Unmarshal([]byte(b.String()), &fromJSON); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(fromJSON, fromYAML); diff != "" {
		t.Fatalf("YAML says other things than JSON (-json +yaml):\n%s", diff)
	}
}

func checkLine(t *testing.T, line string) {
	t.Helper()
	if strings.ContainsFunc(line, hidden) {
		t.Fatalf("a hidden character in %q", line)
	}
}
