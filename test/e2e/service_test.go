//go:build linux

package e2e

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
	"github.com/lease-sidecar/lease-sidecar/test/e2e/lab"
	"github.com/lease-sidecar/lease-sidecar/test/harness"
)

// served is a web server of three replicas behind the chart's Service of the leader, under requests from a node.
type served struct {
	scene
	url  string
	from *lab.Container // where inPod asks from: a pod that has nothing to do with the others
	// asks opens a connection for each request, from the node, and asks for what a standby refuses; inPod does so from a pod. kept keeps one connection.
	// blind keeps one, too, and asks for what every replica answers.
	asks, inPod, kept, blind *caller
	claims                   []answer // of all of them, so far
}

// lossOf is one way to lose a leader.
type lossOf struct {
	name   string
	strike func(s *served)
	// lives: the old leader lives on as a standby. same: it leads on.
	lives, same bool
}

var losses = []lossOf{
	{name: "handover", lives: true, strike: func(s *served) {
		s.Kubectl("exec", s.leader, "-c", lab.SidecarContainer, "--", "/lease-sidecar", "step-down")
	}},
	{name: "pod deleted", strike: func(s *served) { s.Kubectl("delete", "pod", s.leader, "--wait=false") }},
	{name: "sidecar killed", same: true, strike: func(s *served) { s.Container(s.leader, lab.SidecarContainer).Kill() }},
	{name: "pod deleted by force", strike: func(s *served) {
		s.Kubectl("delete", "pod", s.leader, "--force", "--grace-period=0", "--wait=false")
	}},
	{name: "node dead", strike: func(s *served) {
		// As far as the cluster can tell: its kubelet and all processes of the pod end at once.
		node := s.NodeOf(s.t, s.Pod(s.t, s.Namespace, s.leader))
		sidecar, app := s.Container(s.leader, lab.SidecarContainer).PID, s.Container(s.leader, "app").PID
		node.KillKubelet()
		s.t.Cleanup(func() { node.StartKubelet(s.t) })
		for _, pid := range []int{sidecar, app} { // the sidecar first: it must not see the other one end
			if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
				s.t.Fatal(err)
			}
		}
		if bearers := s.labelled(); !slices.Equal(bearers, []string{s.leader}) {
			s.t.Errorf("after the end of %s these have the label: %v; the documents say that it stays", s.leader, bearers)
		}
	}},
}

// TestLeaderService sends requests to the chart's Service of the leader, every 20 ms, through five losses of a leader. A label routes and does not
// fence: the test counts what reaches a pod after its loss. No answer that its replica had checked is out of the order of the terms.
func TestLeaderService(t *testing.T) {
	s := &served{scene: scene{Work: lab.Open(t, lab.Shared(t)), t: t}}
	values := lab.ProgramValues("-serve", ":8080")
	values["leaderService"] = map[string]any{"enabled": true}
	s.Install(t, s.Namespace, "web", "leader-web", values)
	s.AwaitReady(slack, 3)
	s.AwaitWork(takeover)

	other := otherPod(t, s.Lab, s.Namespace)
	s.from = s.Container(other, "app")
	s.url = "http://" + clusterIP(t, s.Lab, s.Namespace, "web-leader")
	for _, loss := range losses {
		t.Run(loss.name, func(t *testing.T) {
			at := *s // what fails is this part
			at.t = t
			at.play(loss)
			s.claims = append(s.claims, at.claims...)
		})
	}
	checkOrder(t, s.claims)
	s.Verdict()
}

// play sends requests, strikes, waits until the Service reaches a leader alone again, and counts.
func (s *served) play(loss lossOf) {
	ctx, cancel := context.WithCancel(s.t.Context())
	var done sync.WaitGroup
	defer done.Wait()
	defer cancel()
	checked, unchecked := s.url+"/checked", s.url+"/"
	s.asks, s.inPod = call(ctx, &done, checked, false, nil), call(ctx, &done, checked, false, s.from.Dial)
	s.kept, s.blind = call(ctx, &done, checked, true, nil), call(ctx, &done, unchecked, true, nil)
	s.leader = s.awaitSteady()
	began := bootclock.System{}.Now()
	loss.strike(s)
	next := s.leader
	if loss.same {
		time.Sleep(5 * time.Second) // the sidecar comes back
		if now := s.awaitSteady(); now != s.leader {
			s.t.Errorf("%s leads, want %s as before: its term was resumed", now, s.leader)
		}
	} else {
		next = s.awaitSteady(s.leader)
	}
	if bearers := s.labelled(); !slices.Equal(bearers, []string{next}) {
		s.t.Errorf("%v have the label, want %s alone", bearers, next)
	}
	lost := s.lastWork(s.leader, began)
	late := s.count("a new connection for each request", s.asks, began, lost)
	late += s.count("a new connection for each request, from a pod", s.inPod, began, lost)
	late += s.count("one connection that the server closes", s.kept, began, lost)
	blind := s.count("one connection that stays open", s.blind, began, lost)
	if loss.same && late+blind > 0 {
		s.t.Errorf("%d requests were answered by a pod that did not lead, want none: the term went on", late+blind)
	}
	if recent := s.blind.since(bootclock.System{}.Now().Add(-time.Second)); loss.lives && (len(recent) == 0 || recent[len(recent)-1].pod != s.leader || blind == 0) {
		s.t.Errorf("the connection that stays open reaches %+v, want %s as before", recent, s.leader)
	}
	s.claims = slices.Concat(s.asks.since(0), s.inPod.since(0), s.kept.since(0), s.blind.since(0))
}

// count tells what became of the requests of a caller since an instant, and returns how many were answered by the old leader after its loss.
func (s *served) count(what string, c *caller, began, lost bootclock.Instant) (late int) {
	failures := map[string]int{}
	var latest, first, last time.Duration
	all := c.since(began)
	for _, a := range all {
		switch {
		case a.failure != "":
			failures[a.failure]++
			if first == 0 {
				first = a.sent.Sub(began)
			}
			last = a.came.Sub(began)
		case a.token == "-":
			late, latest = late+1, a.at.Sub(lost)
			if a.pod != s.leader {
				s.t.Errorf("%s answered, which neither leads nor has led", a.pod)
			}
		}
	}
	failed := "none failed"
	if len(failures) > 0 {
		failed = fmt.Sprintf("%v failed, over %.2f s", strings.TrimPrefix(fmt.Sprint(failures), "map"), (last - first).Seconds())
	}
	s.t.Logf("figure: %s: of %d requests %d reached the old leader after its loss, the last %.3f s after its last work; %s", what, len(all), late, latest.Seconds(), failed)
	return late
}

// lastWork is when a pod last worked before the present, or the beginning of the fault where it works on.
func (s *served) lastWork(pod string, began bootclock.Instant) bootclock.Instant {
	last := began
	for _, stretch := range s.Stretches() {
		if stretch.Replica == pod {
			last = max(last, stretch.To)
		}
	}
	return last
}

// awaitSteady waits until the Service has reached one leader alone for a second, which is none of those named.
func (s *served) awaitSteady(but ...string) (pod string) {
	s.t.Helper()
	harness.Eventually(s.t, takeover, fmt.Sprintf("the Service reaches one leader, and none of %v", but), func() (ok bool) {
		pod, ok = s.asks.steady(but...)
		return ok
	})
	return pod
}

// labelled are the pods with the label.
func (s *served) labelled() (names []string) {
	s.t.Helper()
	list, err := s.Admin.CoreV1().Pods(s.Namespace).List(s.t.Context(), metav1.ListOptions{LabelSelector: "lease-sidecar.dev/role=leader"})
	if err != nil {
		s.t.Fatal(err)
	}
	for _, p := range list.Items {
		names = append(names, p.Name)
	}
	return names
}

// checkOrder: in the order of the boot clock, the tokens of the answers never fall. So no replica took itself for the leader after another one had.
func checkOrder(t *testing.T, answers []answer) {
	t.Helper()
	answers = slices.DeleteFunc(answers, func(a answer) bool { return a.failure != "" || a.token == "-" })
	slices.SortFunc(answers, func(a, b answer) int { return int(a.at.Sub(b.at)) })
	terms := map[string]string{}
	for i, a := range answers {
		terms[a.token] = a.pod
		if i > 0 && len(answers[i-1].token) == len(a.token) && answers[i-1].token > a.token || i > 0 && len(answers[i-1].token) > len(a.token) {
			t.Errorf("%s answered with token %s after %s had answered with token %s", a.pod, a.token, answers[i-1].pod, answers[i-1].token)
		}
	}
	t.Logf("figure: %d answers by %d terms, in their order", len(answers), len(terms))
	if len(terms) < len(losses) {
		t.Errorf("%d terms answered, want one for each of %d losses at least", len(terms), len(losses))
	}
}
