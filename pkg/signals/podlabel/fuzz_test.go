package podlabel

import (
	"context"
	"encoding/json"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock/clocktest"
	"github.com/lease-sidecar/lease-sidecar/pkg/leadership"
)

// babble answers with bytes, one for a pod and others for a list, and keeps what was patched.
type babble struct {
	pod, list []byte
	patched   []string
	bodies    [][]byte
}

func (b *babble) Send(_ context.Context, method, path string, body []byte) ([]byte, error) {
	switch {
	case method == http.MethodPatch:
		b.patched, b.bodies = append(b.patched, path), append(b.bodies, body)
		return nil, nil
	case strings.Contains(path, "?labelSelector="):
		return b.list, nil
	}
	return b.pod, nil
}

var (
	valueForm = regexp.MustCompile(`^[A-Za-z0-9][-A-Za-z0-9_.]*$`)
	podsPath  = regexp.MustCompile(`^/api/v1/namespaces/shop/pods/[^/?#]+$`)
)

// FuzzPods answers the label's requests with bytes in place of pods, and reads the label itself from text. No pod gets
// the label but our own, and only while we lead; it is taken from none without this election's mark; every
// patch is bound to one pod by its UID.
func FuzzPods(f *testing.F) {
	const ours = `{"metadata":{"name":"web-0","uid":"u0","resourceVersion":"5"}}`
	const theirs = `{"metadata":{"name":"web-1","uid":"u1","resourceVersion":"7","annotations":{"acme.example/role":"default/acme-1 76"}}}`
	f.Add([]byte(ours), []byte(`{"items":[`+theirs+`,`+ours+`]}`), true, "acme.example/role=leader")
	f.Add([]byte(ours), []byte(`{"items":[{"metadata":{"annotations":{"acme.example/role":"default/acme-1"}}}]}`), true, "role")
	f.Add([]byte(ours), []byte(`{"items":[`+strings.Replace(theirs, "acme-1", "acme-2", 1)+`]}`), true, "a/b=c")
	f.Add([]byte(theirs), []byte(`null`), true, "kubernetes.io/role=x")
	f.Add([]byte(strings.Replace(ours, `"u0"`, `"u0","labels":{"acme.example/role":"blue"}`, 1)), []byte(`{}`), false, "a.k8s.io/b")
	f.Add([]byte(`[]`), []byte(`{"items":{}}`), false, "a=")
	f.Fuzz(func(t *testing.T, pod, list []byte, leading bool, text string) {
		checkLabel(t, text)
		c := clocktest.NewHand()
		api := &babble{pod: pod, list: list}
		s := New(Config{API: api, Namespace: "shop", Pod: "web-0", UID: "u0", Label: Label{"acme.example/role", "leader"}, Clock: c})
		l := standby
		if leading {
			l = leads(c, "77")
		}
		if err := s.Apply(t.Context(), l); err != nil && leading && strings.Contains(strings.Join(api.patched, " "), "/web-0 ") {
			t.Fatalf("our own pod was labelled, and %v", err)
		}
		var answered struct{ Metadata metadata }
		if err := json.Unmarshal(pod, &answered); (err != nil || answered.Metadata.UID != "u0") && len(api.patched) > 0 {
			t.Fatalf("our own pod is %s, and it patches %v", pod, api.patched)
		}
		for i, path := range api.patched {
			checkPatch(t, api, l, path, api.bodies[i])
		}
	})
}

// checkPatch judges one patch by what was answered before.
func checkPatch(t *testing.T, api *babble, l leadership.Leadership, path string, body []byte) {
	t.Helper()
	var patch struct {
		Metadata struct {
			UID                 string
			Labels, Annotations map[string]*string
		}
	}
	if err := json.Unmarshal(body, &patch); err != nil {
		t.Fatalf("it patches with %s: %v", body, err)
	}
	m := patch.Metadata
	label, only := m.Labels["acme.example/role"]
	switch {
	case !podsPath.MatchString(path) || m.UID == "":
		t.Fatalf("it patches %s with %s", path, body)
	case !only || len(m.Labels) != 1 || len(m.Annotations) != 1:
		t.Fatalf("it patches more than the label: %s", body)
	case label != nil && (!l.IsLeader || m.UID != "u0" || !strings.HasSuffix(path, "/web-0")):
		t.Fatalf("it labels %s, leading %v: %s", path, l.IsLeader, body)
	case label == nil && m.UID != "u0" && (!l.IsLeader || !strings.Contains(string(api.list), "default/acme-1") && !strings.Contains(string(api.list), `\`)):
		t.Fatalf("it takes the label off %s, which has no mark of ours: %s", path, api.list)
	}
}

// checkLabel reads the option.
func checkLabel(t *testing.T, text string) {
	t.Helper()
	l, err := ParseLabel(text)
	if err != nil {
		return
	}
	prefix, name, prefixed := strings.Cut(l.Key, "/")
	if !prefixed {
		prefix, name = "", l.Key
	}
	if !valueForm.MatchString(name) || len(name) > 63 || !valueForm.MatchString(l.Value) || len(l.Value) > 63 || len(prefix) > 253 {
		t.Fatalf("%q is the label %+v", text, l)
	}
	for _, domain := range []string{"kubernetes.io", "k8s.io"} {
		if strings.HasSuffix("."+prefix, "."+domain) {
			t.Fatalf("%q is Kubernetes' own", text)
		}
	}
	if again, err := ParseLabel(l.String()); err != nil || again != l {
		t.Fatalf("%q reads as %+v, and that as %+v, %v", text, l, again, err)
	}
}
