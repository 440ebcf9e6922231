//go:build linux

package integration

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"sync"
	"testing"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"

	"github.com/lease-sidecar/lease-sidecar/test/harness"
)

// way is how a replica reaches the API server: a proxy or a storm.
type way interface{ Host() string }

// startVia starts three replicas, each with a way of its own and an account of its own, by which the audit log
// tells them apart.
func startVia[W way](t *testing.T, e *harness.Election, open func(testing.TB) W) ([]*harness.Sidecar, map[*harness.Sidecar]W) {
	t.Helper()
	var replicas []*harness.Sidecar
	ways := map[*harness.Sidecar]W{}
	for i := range 3 {
		s := e.Prepare(t, fmt.Sprintf("web-%d", i))
		ways[s] = open(t)
		account := e.Cluster.Grant(t, e.Namespace, s.Pod, append(harness.DocumentedRules(e.Lease), harness.CreateRule())...)
		s.Kubeconfig = account.Kubeconfig(t, ways[s].Host())
		s.Start(t, e)
		replicas = append(replicas, s)
	}
	return replicas, ways
}

// accountOf names a replica of startVia as the audit log does.
func accountOf(e *harness.Election, s *harness.Sidecar) string {
	return "system:serviceaccount:" + e.Namespace + ":" + s.Pod
}

// asked returns what a replica of startVia has asked the API server and been answered since then, watches left out.
func asked(t *testing.T, e *harness.Election, s *harness.Sidecar, since time.Time, verb string) []harness.Request {
	t.Helper()
	return e.Cluster.Audit.Requests(t, since, func(r harness.Request) bool {
		return r.User == accountOf(e, s) && r.Verb == verb && !r.Watching
	})
}

// checkNoTakeBeforeExpiry checks by the audit log that nobody wrote the Lease after another's write earlier than a
// lease duration after it. It holds only where nobody has released the Lease since then.
func checkNoTakeBeforeExpiry(t *testing.T, e *harness.Election, since time.Time) {
	t.Helper()
	const slewed = 20 * time.Millisecond // the log is on the wall clock, which may run a little slower for a while
	var last harness.Request
	for _, r := range e.Cluster.Audit.Requests(t, since, func(r harness.Request) bool {
		return r.Namespace == e.Namespace && r.Verb == "update" && r.Code == http.StatusOK
	}) {
		if waited := r.Received.Sub(last.Received); last.User != "" && r.User != last.User && waited < e.Duration-slewed {
			t.Errorf("%s took the Lease %v after %s had written it, want at least %v", r.User, waited, last.User, e.Duration)
		}
		last = r
	}
}

// steady returns a condition: the leader is told that it leads, with the token that it has now.
func steady(leader *harness.Sidecar) func() bool {
	_, token := leader.Told()
	return func() bool {
		told, same := leader.Told()
		return told && same == token
	}
}

// awaitAgreement waits until every replica names one of them as the leader, and that one says so too.
func awaitAgreement(t *testing.T, bound time.Duration, replicas []*harness.Sidecar) *harness.Sidecar {
	t.Helper()
	var leader *harness.Sidecar
	harness.Eventually(t, bound, "all name one leader, which leads", func() bool {
		leader = nil
		names := map[string]bool{}
		for _, s := range replicas {
			_, l := s.Leader()
			names[l.Leader] = true
			if told, _ := s.Told(); told {
				leader = s
			}
		}
		return leader != nil && len(names) == 1 && names[leader.Pod]
	})
	return leader
}

// history is every version of a Lease that an administrator's watch has shown.
type history struct {
	mu       sync.Mutex
	versions []*coordinationv1.Lease
}

func recordHistory(t *testing.T, e *harness.Election) *history {
	t.Helper()
	w, err := e.Cluster.Admin.CoordinationV1().Leases(e.Namespace).Watch(t.Context(), metav1.ListOptions{
		FieldSelector: fields.OneTermEqualSelector(metav1.ObjectNameField, e.Lease).String(),
	})
	if err != nil {
		t.Fatalf("watch the Lease: %v", err)
	}
	h := &history{}
	var reading sync.WaitGroup
	reading.Go(func() {
		for event := range w.ResultChan() {
			if l, ok := event.Object.(*coordinationv1.Lease); ok {
				h.mu.Lock()
				h.versions = append(h.versions, l)
				h.mu.Unlock()
			}
		}
	})
	t.Cleanup(func() {
		w.Stop()
		reading.Wait()
	})
	return h
}

// holders returns the holders in the order in which the store had them, none twice in a row; "" is nobody.
func (h *history) holders() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	var holders []string
	for _, l := range h.versions {
		holder := ""
		if l.Spec.HolderIdentity != nil {
			holder = *l.Spec.HolderIdentity
		}
		if len(holders) == 0 || holders[len(holders)-1] != holder {
			holders = append(holders, holder)
		}
	}
	return holders
}

// Kinds of requests, as a storm sees them.
func isWatch(r *http.Request) bool  { return r.URL.Query().Has("watch") }
func isRead(r *http.Request) bool   { return r.Method == http.MethodGet && !isWatch(r) }
func isUpdate(r *http.Request) bool { return r.Method == http.MethodPut }
func isCreate(r *http.Request) bool { return r.Method == http.MethodPost }
func isWrite(r *http.Request) bool  { return isUpdate(r) || isCreate(r) }
func isAny(*http.Request) bool      { return true }

// isRelease tells the write that blanks the holder from every other. It puts back the body that it reads.
func isRelease(r *http.Request) bool {
	if !isUpdate(r) {
		return false
	}
	body, err := io.ReadAll(r.Body)
	r.Body = io.NopCloser(bytes.NewReader(body))
	return err == nil && bytes.Contains(body, []byte(`"released@`))
}

// refused is a fate for requests of a kind; the others pass.
func refused(kind func(*http.Request) bool, status int) func(*http.Request) harness.Fate {
	return func(r *http.Request) harness.Fate {
		if kind(r) {
			return harness.Fate{Status: status}
		}
		return harness.Fate{}
	}
}
