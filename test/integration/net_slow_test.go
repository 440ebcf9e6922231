//go:build linux

package integration

import (
	"context"
	"flag"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lease-sidecar/lease-sidecar/test/harness"
)

// long has the tests that measure take minutes, and measure client-go's elector and an older sidecar as well.
var long = flag.Bool("long", false, "measure for minutes, client-go's elector and the sidecar named by SIDECAR_BEFORE beside ours")

// leastLed is the share of the time for which somebody must lead while every write is slow.
const leastLed = 0.9

// TestSlowWrites lets every write of the Lease take some seconds, in mid-term and for good: on its way through a proxy, or
// in the API server, which asks an admission webhook that accepts connections and never answers, and goes on without it
// after that time. With -long it measures client-go's elector at its defaults, and an older sidecar, in the same run.
//
// A write of 5 s is reported, not judged: of the 10 s that a renewal carries a term, half are gone when it is known.
func TestSlowWrites(t *testing.T) {
	t.Parallel()
	span, seconds, subjects := 20*time.Second, map[string][]int{"proxy": {3}, "webhook": {3}}, []subject{ours(harness.Binary(t), "ours")}
	if *long {
		span, seconds = 80*time.Second, map[string][]int{"proxy": {2, 3, 4, 5}, "webhook": {3, 4, 5}}
		subjects = append(subjects, clientGo)
		if before := harness.BeforeBinary(); before != "" {
			subjects = append(subjects, ours(before, "ours before"))
		}
	}
	for how, all := range seconds {
		for _, each := range all {
			for _, s := range subjects {
				t.Run(fmt.Sprintf("%s %ds %s", how, each, s.name), func(t *testing.T) {
					t.Parallel()
					led, terms := measureSlow(t, how, time.Duration(each)*time.Second, span, s)
					t.Logf("figure: of two candidates, lease duration 15 s, over %v, one led for %.0f %% of the time, in %d terms", span, 100*led, terms)
					if s.judged && each < 5 && led < leastLed {
						t.Errorf("somebody led for %.0f %% of the time, want at least %.0f %%", 100*led, 100*leastLed)
					}
					if s.judged && each < 5 && terms > 1+int(span/(30*time.Second)) {
						t.Errorf("%d terms in %v, want hardly any new one", terms, span)
					}
				})
			}
		}
	}
}

// subject is a kind of candidate: its start adds it to the witness, and returns what keeps its processes running.
type subject struct {
	name   string
	judged bool
	start  func(t *testing.T, e *harness.Election, host string, w *harness.Witness) (leads func() bool, keep func())
}

func ours(binary, name string) subject {
	return subject{name: name, judged: name == "ours", start: func(t *testing.T, e *harness.Election, host string, w *harness.Witness) (func() bool, func()) {
		var replicas []*harness.Sidecar
		for i := range 2 {
			s := e.Prepare(t, fmt.Sprintf("web-%d", i))
			s.Binary, s.Kubeconfig = binary, e.Access.Kubeconfig(t, host)
			s.Start(t, e)
			w.AddCrowd(s)
			replicas = append(replicas, s)
		}
		return func() bool {
			return slices.ContainsFunc(replicas, func(s *harness.Sidecar) bool { leads, _ := s.Leads(); return leads })
		}, func() {}
	}}
}

var clientGo = subject{name: "client-go", start: func(t *testing.T, e *harness.Election, host string, w *harness.Witness) (func() bool, func()) {
	var peers []*harness.Peer
	for i := range 2 {
		p := e.StartPeer(t, fmt.Sprintf("peer-%d", i), harness.PeerOptions{
			Kubeconfig: e.Access.Kubeconfig(t, host), LeaseDuration: 15 * time.Second, RenewDeadline: 10 * time.Second, RetryPeriod: 2 * time.Second,
		})
		w.AddChannel(p.Name, "state", 20*time.Millisecond, p.Leads)
		peers = append(peers, p)
	}
	return func() bool {
		return slices.ContainsFunc(peers, func(p *harness.Peer) bool { leads, _ := p.Leads(); return leads })
	}, func() { startPeers(t, peers...) } // as a kubelet does with a program that ends when it has lost
}}

// measureSlow runs an election whose writes become slow once somebody leads. It returns for which share of the span after
// that somebody led, and in how many terms.
func measureSlow(t *testing.T, how string, slow, span time.Duration, s subject) (float64, int) {
	t.Helper()
	c := harness.Shared(t)
	labels := map[string]string{"test": strings.ToLower(strings.NewReplacer("/", "-", " ", "-").Replace(t.Name()))[len("TestSlowWrites/"):]}
	e := harness.InNamespace(t, c, c.Namespace(t, labels), 15*time.Second)
	e.Access = c.Grant(t, e.Namespace, "web", harness.DocumentedRules(e.Lease)...)
	e.ShipFree(t)
	storm, w := c.Storm(t), harness.Watch(t)
	leads, keep := s.start(t, e, storm.Host(), w)
	harness.Eventually(t, e.Duration+slack, "somebody leads", leads)
	if how == "webhook" {
		hangAdmission(t, c, labels, slow)
	} else {
		storm.Faults(meet(isWrite, harness.Fate{Delay: slow}))
	}
	from := now()
	for now().Before(from.Add(span)) {
		keep()
		time.Sleep(50 * time.Millisecond)
	}
	w.Stop()
	var led time.Duration
	terms := 0
	for _, term := range w.Terms("state") {
		if part := min(term.To, from.Add(span)).Sub(max(term.From, from)); part > 0 {
			led += part
			terms++
		}
	}
	for _, o := range harness.Overlaps(w.Terms("")) {
		t.Logf("two were leading at once: %v", o)
		if s.judged {
			t.Error("two led at once")
		}
	}
	return led.Seconds() / span.Seconds(), terms
}

// hangAdmission has the API server ask a webhook before each write of a Lease in the namespaces with those labels. The
// webhook takes connections and says nothing; after that time the API server ignores it.
func hangAdmission(t *testing.T, c *harness.Cluster, labels map[string]string, after time.Duration) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var accepting sync.WaitGroup
	accepting.Go(func() {
		var held []net.Conn
		for {
			conn, err := l.Accept()
			if err != nil {
				break
			}
			held = append(held, conn)
		}
		for _, conn := range held {
			_ = conn.Close()
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		accepting.Wait()
	})
	url, none, ignore := "https://"+l.Addr().String()+"/", admissionv1.SideEffectClassNone, admissionv1.Ignore
	hooks := c.Admin.AdmissionregistrationV1().ValidatingWebhookConfigurations()
	made, err := hooks.Create(t.Context(), &admissionv1.ValidatingWebhookConfiguration{
		ObjectMeta: metav1.ObjectMeta{GenerateName: "hangs-"},
		Webhooks: []admissionv1.ValidatingWebhook{{
			Name: "hangs.example.com", SideEffects: &none, FailurePolicy: &ignore, AdmissionReviewVersions: []string{"v1"},
			TimeoutSeconds: new(int32(after / time.Second)), ClientConfig: admissionv1.WebhookClientConfig{URL: &url},
			NamespaceSelector: &metav1.LabelSelector{MatchLabels: labels},
			Rules: []admissionv1.RuleWithOperations{{
				Operations: []admissionv1.OperationType{admissionv1.Create, admissionv1.Update},
				Rule:       admissionv1.Rule{APIGroups: []string{"coordination.k8s.io"}, APIVersions: []string{"v1"}, Resources: []string{"leases"}},
			}},
		}},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatalf("register the webhook: %v", err)
	}
	t.Cleanup(func() {
		if err := hooks.Delete(context.WithoutCancel(t.Context()), made.Name, metav1.DeleteOptions{}); err != nil {
			t.Errorf("remove the webhook: %v", err)
		}
	})
}
