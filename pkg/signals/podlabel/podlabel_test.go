package podlabel

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/lease-sidecar/lease-sidecar/pkg/apiserver"
	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock/clocktest"
	"github.com/lease-sidecar/lease-sidecar/pkg/leadership"
	"github.com/lease-sidecar/lease-sidecar/pkg/leadership/leadershiptest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func refusal(status int) error {
	return &apiserver.StatusError{Status: status, Err: fmt.Errorf("refused with %d", status)}
}

// script notes the requests and answers with pods, or with a fault. What the API server itself does with them is
// tested on the real one, in test/integration.
type script struct {
	pods  map[string]metadata
	fault func(method, path string) error
	sent  []string
}

func (s *script) Send(_ context.Context, method, path string, body []byte) ([]byte, error) {
	path = strings.TrimPrefix(path, "/api/v1/namespaces/shop/pods")
	s.sent = append(s.sent, strings.TrimSpace(method+" "+path+" "+string(body)))
	if s.fault != nil {
		if err := s.fault(method, path); err != nil {
			return nil, err
		}
	}
	type item struct {
		Metadata metadata `json:"metadata"`
	}
	if name, one := strings.CutPrefix(path, "/"); one {
		pod, ok := s.pods[name]
		if !ok {
			return nil, refusal(404)
		}
		return json.Marshal(item{pod})
	}
	var list struct {
		Items []item `json:"items"`
	}
	for _, name := range []string{"web-0", "web-1", "web-2"} {
		if pod, ok := s.pods[name]; ok && pod.Labels["acme.example/role"] == "leader" {
			list.Items = append(list.Items, item{pod})
		}
	}
	return json.Marshal(list)
}

// sent since the last call.
func (s *script) since() []string {
	sent := s.sent
	s.sent = nil
	return sent
}

func newSignal(s *script, c *clocktest.Hand) *Signal {
	return New(Config{
		API: s, Namespace: "shop", Pod: "web-0", UID: "u0", Label: Label{"acme.example/role", "leader"}, Clock: c,
	})
}

func leads(c bootclock.Clock, token string) leadership.Leadership {
	l := leadershiptest.Leading(c, token)
	l.Lease = "acme-1"
	return l
}

var standby = leadership.Leadership{Lease: "acme-1", Namespace: "default"}

const (
	get   = "GET /web-0"
	list  = "GET ?labelSelector=acme.example%2Frole%3Dleader"
	off   = `PATCH /web-0 {"metadata":{"uid":"u0","labels":{"acme.example/role":null},"annotations":{"acme.example/role":null}}}`
	other = `PATCH /web-1 {"metadata":{"uid":"u1","resourceVersion":"7","labels":{"acme.example/role":null},"annotations":{"acme.example/role":null}}}`
)

func on(token string) string {
	return `PATCH /web-0 {"metadata":{"uid":"u0","labels":{"acme.example/role":"leader"},"annotations":{"acme.example/role":"default/acme-1 ` + token + `"}}}`
}

func (s *script) want(t *testing.T, want ...string) {
	t.Helper()
	if diff := cmp.Diff(want, s.since()); diff != "" {
		t.Errorf("requests (-want +got):\n%s", diff)
	}
}

func own() metadata { return metadata{Name: "web-0", UID: "u0", ResourceVersion: "5"} }

func bearing(name, uid, mark string) metadata {
	return metadata{
		Name: name, UID: uid, ResourceVersion: "7",
		Labels: map[string]string{"acme.example/role": "leader"}, Annotations: map[string]string{"acme.example/role": mark},
	}
}

func TestRequests(t *testing.T) {
	api, c := &script{pods: map[string]metadata{"web-0": own()}}, clocktest.NewHand()
	s := newSignal(api, c)
	apply := func(l leadership.Leadership) {
		t.Helper()
		if err := s.Apply(t.Context(), l); err != nil {
			t.Errorf("Apply: %v", err)
		}
	}
	apply(standby)
	api.want(t, get, off)
	another := standby
	another.Leader = "web-2"
	apply(another)
	c.Advance(time.Hour)
	apply(standby)
	api.want(t) // an idle standby asks for nothing

	api.pods["web-1"] = bearing("web-1", "u1", "default/acme-1 41")
	api.pods["web-2"] = bearing("web-2", "u2", "default/acme-2 99") // another workload's
	apply(leads(c, "48"))
	api.want(t, list, other, on("48"))
	delete(api.pods, "web-1")
	api.pods["web-0"] = bearing("web-0", "u0", "default/acme-1 48")
	apply(leads(c, "48"))
	api.want(t) // a renewal

	var looks []int
	for second := 1; second <= 200; second++ {
		c.Advance(time.Second)
		apply(leads(c, "48"))
		if sent := api.since(); len(sent) > 0 {
			looks = append(looks, second)
			if diff := cmp.Diff([]string{list}, sent); diff != "" {
				t.Errorf("a look (-want +got):\n%s", diff)
			}
		}
	}
	if diff := cmp.Diff([]int{1, 3, 7, 15, 31, 63, 127, 191}, looks); diff != "" {
		t.Errorf("seconds at which the leader looks (-want +got):\n%s", diff)
	}

	delete(api.pods, "web-0") // a late request of before took it
	api.pods["web-0"] = own()
	c.Advance(64 * time.Second)
	apply(leads(c, "48"))
	api.want(t, list, on("48"))
	apply(leads(c, "50"))
	api.want(t, list, on("50")) // a new term has a mark of its own
	apply(standby)
	api.want(t, off)
}

// A term that has run out by the time of the patch labels nothing; neither does one that Apply comes to too late.
func TestALapsedTermLabelsNothing(t *testing.T) {
	c := clocktest.NewHand()
	api := &script{pods: map[string]metadata{"web-0": own()}}
	l := leads(c, "48")
	api.fault = func(_, path string) error {
		if strings.HasPrefix(path, "?") {
			c.Advance(10 * time.Second)
		}
		return nil
	}
	s := newSignal(api, c)
	if err := s.Apply(t.Context(), l); !errors.Is(err, errLapsed) {
		t.Errorf("Apply: %v, want %v", err, errLapsed)
	}
	api.want(t, get, list)
	if err := s.Apply(t.Context(), l); err != nil {
		t.Errorf("Apply: %v", err)
	}
	api.want(t, off)
}

func TestPodsThatAreNotOurs(t *testing.T) {
	tests := map[string]struct {
		pod    *metadata
		fault  string // of a leader's Apply; a standby's is none unless standby
		faulty bool   // a standby's too
	}{
		"no pod":        {nil, "refused with 404", false},
		"a namesake":    {&metadata{Name: "web-0", UID: "u9"}, "give the pod's own", false},
		"a key in use":  {&metadata{Name: "web-0", UID: "u0", Labels: map[string]string{"acme.example/role": "x"}}, "another key", true},
		"ours already":  {new(bearing("web-0", "u0", "")), "", false},
		"another label": {&metadata{Name: "web-0", UID: "u0", Labels: map[string]string{"app": "x"}}, "", false},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			api, c := &script{pods: map[string]metadata{}}, clocktest.NewHand()
			if tc.pod != nil {
				api.pods["web-0"] = *tc.pod
			}
			if err := newSignal(api, c).Apply(t.Context(), standby); (err != nil) != tc.faulty {
				t.Errorf("a standby's Apply: %v", err)
			}
			if patched := len(api.since()) > 1; patched != (tc.fault == "") {
				t.Errorf("a standby patches: %v", patched)
			}
			err := newSignal(api, c).Apply(t.Context(), leads(c, "48"))
			if (err == nil) != (tc.fault == "") || err != nil && !strings.Contains(err.Error(), tc.fault) {
				t.Errorf("a leader's Apply: %v, want %q", err, tc.fault)
			}
			if sent := api.since(); tc.fault != "" && len(sent) > 1 {
				t.Errorf("a leader sent %v, want the look alone", sent)
			}
		})
	}
}

// A refusal that lasts is reported on, but asked for again only after a while; a fault that passes is asked at once.
func TestFaults(t *testing.T) {
	tests := map[string]struct {
		err   error
		again bool
	}{
		"forbidden":   {refusal(403), false},
		"invalid":     {refusal(422), false},
		"too many":    {refusal(429), true},
		"a conflict":  {refusal(409), true},
		"unavailable": {refusal(503), true},
		"no answer":   {context.DeadlineExceeded, true},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			api, c := &script{pods: map[string]metadata{"web-0": own()}, fault: func(string, string) error { return tc.err }}, clocktest.NewHand()
			s := newSignal(api, c)
			first := s.Apply(t.Context(), leads(c, "48"))
			c.Advance(2 * time.Second)
			second := s.Apply(t.Context(), leads(c, "48"))
			if !errors.Is(first, tc.err) || !errors.Is(second, tc.err) {
				t.Errorf("Apply: %v, then %v; want %v in both", first, second, tc.err)
			}
			if again := len(api.since()) == 2; again != tc.again {
				t.Errorf("asked again after 2s: %v, want %v", again, tc.again)
			}
			api.fault = nil
			c.Advance(refusedPause)
			if err := s.Apply(t.Context(), leads(c, "48")); err != nil {
				t.Errorf("Apply once the fault is gone: %v", err)
			}
			api.want(t, get, list, on("48"))
		})
	}
}

// A pod that cannot be cleared leaves the Service with one endpoint too many; without ours it would have the wrong one.
func TestOneFaultDoesNotStopTheRest(t *testing.T) {
	api, c := &script{pods: map[string]metadata{"web-0": own(), "web-1": bearing("web-1", "u1", "default/acme-1 41")}}, clocktest.NewHand()
	api.fault = func(method, path string) error {
		if method == "PATCH" && path == "/web-1" {
			return refusal(409)
		}
		return nil
	}
	if err := newSignal(api, c).Apply(t.Context(), leads(c, "48")); apiserver.Status(err) != 409 {
		t.Errorf("Apply: %v, want the conflict", err)
	}
	api.want(t, get, list, other, on("48"))
}

func TestParseLabel(t *testing.T) {
	tests := map[string]struct {
		text string
		want Label // zero: refused
	}{
		"a key alone":             {"lease-sidecar.dev/role", Label{"lease-sidecar.dev/role", "leader"}},
		"key and value":           {"acme.example/Active_1=yes", Label{"acme.example/Active_1", "yes"}},
		"no prefix":               {"role=primary", Label{"role", "primary"}},
		"the longest name":        {strings.Repeat("a", 63), Label{strings.Repeat("a", 63), "leader"}},
		"a name too long":         {strings.Repeat("a", 64), Label{}},
		"a value too long":        {"role=" + strings.Repeat("a", 64), Label{}},
		"an empty value":          {"role=", Label{}},
		"an empty key":            {"=leader", Label{}},
		"an empty prefix":         {"/role", Label{}},
		"an empty name":           {"acme.example/", Label{}},
		"two slashes":             {"a/b/c", Label{}},
		"a prefix in capitals":    {"Acme.example/role", Label{}},
		"a selector's characters": {"role=a,b", Label{}},
		"Kubernetes' own":         {"app.kubernetes.io/component=leader", Label{}},
		"Kubernetes' own, bare":   {"kubernetes.io/role", Label{}},
		"k8s.io":                  {"node.k8s.io/role", Label{}},
		"the template's hash":     {"pod-template-hash=1", Label{}},
		"not Kubernetes' own":     {"notkubernetes.io/role", Label{"notkubernetes.io/role", "leader"}},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := ParseLabel(tc.text)
			if got != tc.want || (err == nil) != (tc.want != Label{}) {
				t.Errorf("ParseLabel(%q) = %v, %v; want %v", tc.text, got, err, tc.want)
			}
		})
	}
}
