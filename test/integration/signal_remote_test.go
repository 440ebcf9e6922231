//go:build linux

package integration

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
	"github.com/lease-sidecar/lease-sidecar/pkg/leadership"
	"github.com/lease-sidecar/lease-sidecar/test/harness"
)

// TestEventsOnTheLease shows both Events of a term in client-go's form, found as kubectl describe finds them. A restart in
// mid-term, which leads on with a new token, records nothing.
func TestEventsOnTheLease(t *testing.T) {
	t.Parallel()
	e := harness.NewElection(t, harness.Shared(t), 9*time.Second, eventRule())
	e.Flags = []string{"--events"}
	e.Ship(t)
	s := e.Start(t, "web-0")
	harness.AwaitLeader(t, e.Duration+slack, s)
	identity := s.State().Identity
	// A term that ends before its Event is sent leaves none.
	harness.Eventually(t, slack, "the beginning is recorded", func() bool {
		list, err := e.Cluster.Admin.CoreV1().Events(e.Namespace).List(t.Context(), metav1.ListOptions{})
		return err == nil && len(list.Items) == 1
	})
	_, before := s.Leads()
	s.Stop(0)
	s.Start(t, e)
	harness.Eventually(t, slack, "it leads on with a new token", func() bool {
		leads, after := s.Leads()
		return leads && greater(after, before)
	})
	awaitRenewal(t, s) // an Event would be recorded by then
	s.Terminate(t)

	lease := e.Read(t)
	list, err := e.Cluster.Admin.CoreV1().Events(e.Namespace).List(t.Context(), metav1.ListOptions{
		FieldSelector: "involvedObject.kind=Lease,involvedObject.name=" + e.Lease + ",involvedObject.uid=" + string(lease.UID),
	})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, event := range list.Items {
		got = append(got, event.Type+" "+event.Reason+" "+event.InvolvedObject.APIVersion+" "+event.Message+" by "+event.Source.Component)
		if age := time.Since(event.FirstTimestamp.Time); age < 0 || age > time.Minute || event.Count != 1 {
			t.Errorf("event %q: first seen %v ago, %d times", event.Message, age, event.Count)
		}
	}
	want := []string{
		"Normal LeaderElection coordination.k8s.io/v1 " + identity + " became leader by lease-sidecar",
		"Normal LeaderElection coordination.k8s.io/v1 " + identity + " stopped leading by lease-sidecar",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Events (-want +got):\n%s", diff)
	}
	out, _ := harness.RunCommand(t, harness.Kubectl(t), "--kubeconfig", e.Cluster.AdminKubeconfig(t), "-n", e.Namespace, "describe", "lease", e.Lease)
	if !strings.Contains(out, identity+" became leader") {
		t.Errorf("kubectl describe lease does not show the Event:\n%s", out)
	}
}

// TestEventsWithoutRights shows that Events are best effort: a refusal is said once and changes nothing.
func TestEventsWithoutRights(t *testing.T) {
	t.Parallel()
	_, s := leadAlone(t, 3*time.Second, "--events")
	const want = "event given up"
	harness.Eventually(t, slack, "the log says so", func() bool { return strings.Contains(s.Log(), want) })
	s.Terminate(t)
	if got := strings.Count(s.Log(), want); got != 2 {
		t.Errorf("the log says %q %d times, want once for each end of the term:\n%s", want, got, s.Tail(20))
	}
}

// receiver is a workload that is notified by webhook.
type receiver struct {
	*httptest.Server

	mu       sync.Mutex
	received []leadership.Leadership // each with Observed as the instant of its arrival
	hold     chan struct{}           // while not nil, "not leading" is answered only once it is closed
}

func newReceiver(t *testing.T) *receiver {
	t.Helper()
	r := &receiver{}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		var l leadership.Leadership
		body, err := io.ReadAll(req.Body)
		if err != nil {
			return // the sender was killed
		}
		if err := json.Unmarshal(body, &l); err != nil || req.Method != http.MethodPost || req.Header.Get("Content-Type") != "application/json" {
			t.Errorf("%s with %q: %s (%v)", req.Method, req.Header.Get("Content-Type"), body, err)
		}
		l.Observed = now()
		r.mu.Lock()
		hold := r.hold
		r.received = append(r.received, l)
		r.mu.Unlock()
		if hold != nil && !l.IsLeader {
			select {
			case <-hold:
			case <-req.Context().Done():
			}
		}
		w.WriteHeader(http.StatusNoContent)
	}))
	t.Cleanup(r.Close)
	return r
}

// last returns the newest document; the zero value before the first.
func (r *receiver) last() leadership.Leadership {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.received) == 0 {
		return leadership.Leadership{}
	}
	return r.received[len(r.received)-1]
}

func (r *receiver) calls() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.received)
}

// lostAt returns when the receiver heard of the end of the first term; 0: not yet.
func (r *receiver) lostAt() bootclock.Instant {
	r.mu.Lock()
	defer r.mu.Unlock()
	led := false
	for _, l := range r.received {
		if led && !l.IsLeader {
			return l.Observed
		}
		led = led || l.IsLeader
	}
	return 0
}

// TestWebhook shows that a workload is notified of each transition by POST, and of no renewal.
func TestWebhook(t *testing.T) {
	t.Parallel()
	e := harness.NewElection(t, harness.Shared(t), 3*time.Second)
	e.Ship(t)
	r := newReceiver(t)
	s := e.Prepare(t, "web-0")
	s.Args = append(s.Args, "--webhook-url", r.URL+"/leadership")
	s.Start(t, e)
	harness.AwaitLeader(t, e.Duration+slack, s)
	_, token := s.Leads()
	harness.Eventually(t, slack, "the workload hears of the term", func() bool { return r.last().IsLeader && r.last().Token == token })
	awaitRenewal(t, s)
	awaitRenewal(t, s)
	// One for the start, one for the Lease as it was found, one for the term.
	if got, calls := r.last(), r.calls(); !got.IsLeader || calls > 3 {
		t.Errorf("after two renewals there were %d calls, the last %+v; want none for renewals", calls, got)
	}
	s.Terminate(t)
	if r.last().IsLeader {
		t.Errorf("after the end the workload last heard %+v, want not leading", r.last())
	}
}

// TestWebhookIsWaitedFor shows that the Lease is not released before a workload on loopback has answered that it knows,
// and that it is once the workload is gone.
func TestWebhookIsWaitedFor(t *testing.T) {
	t.Parallel()
	e := harness.NewElection(t, harness.Shared(t), 15*time.Second)
	e.Flags = []string{"--drain-timeout", "1ms", "--webhook-timeout", "30s"}
	e.Ship(t)
	r := newReceiver(t)
	s := e.Prepare(t, "web-0")
	s.Args = append(s.Args, "--webhook-url", r.URL)
	s.Start(t, e)
	harness.AwaitLeader(t, e.Duration+slack, s)
	harness.Eventually(t, slack, "the workload hears of the term", func() bool { return r.last().IsLeader })
	hold := make(chan struct{})
	r.mu.Lock()
	r.hold = hold
	r.mu.Unlock()
	heir := e.Start(t, "web-1")
	s.Post("/step-down")
	harness.Eventually(t, slack, "the workload hears of the loss", func() bool { return !r.last().IsLeader })
	harness.Throughout(t, 2*time.Second, "the Lease is held until the workload has answered", func() bool {
		leads, _ := heir.Leads()
		return !leads && e.Holder(t) != ""
	})
	close(hold)
	harness.AwaitLeader(t, slack, heir)

	t.Log("the workload is gone")
	harness.Eventually(t, 2*slack, "the first leads again", func() bool {
		heir.Post("/step-down")
		leads, _ := s.Leads()
		return leads
	})
	r.Close()
	stopped := now()
	s.Terminate(t)
	if took := now().Sub(stopped); took > 15*time.Second { // the webhook's timeout is 30 s
		t.Errorf("with the workload gone the handover took %v, want at once", took)
	}
}
