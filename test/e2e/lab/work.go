//go:build linux

package lab

import (
	"cmp"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
	"github.com/lease-sidecar/lease-sidecar/pkg/leadership"
	"github.com/lease-sidecar/lease-sidecar/test/harness"
	"github.com/lease-sidecar/lease-sidecar/test/workload/journal"
)

// Work is a workload that runs, with two records of it on the boot clock: the journals that its programs write, and what a witness
// sees in the signal directories, through the kubelet's folders.
type Work struct {
	*Lab
	// Namespace is the workload's own.
	Namespace string

	t       testing.TB
	dir     string // a folder for each pod, with its journals
	witness *harness.Witness
	done    chan struct{}
	looks   sync.WaitGroup
	stop    sync.Once
	excused []harness.Term
}

// Kubectl runs kubectl in the workload's namespace. It must succeed.
func (w *Work) Kubectl(args ...string) string {
	w.t.Helper()
	return w.Lab.Kubectl(w.t, w.Namespace, args...)
}

// RolledOut reports whether the rollout of the workload ends in time.
func (w *Work) RolledOut(t testing.TB, bound time.Duration) bool {
	return harness.Within(bound, time.Second, func() bool { // a command may take a minute at the most
		_, code := w.TryKubectl(t, w.Namespace, "rollout", "status", "deployment/"+AppName, "--timeout=50s")
		return code == 0
	})
}

// Container returns a container of one of the workload's pods.
func (w *Work) Container(pod, name string) *Container {
	w.t.Helper()
	return w.Lab.Container(w.t, w.Namespace, pod, name)
}

// How often the witness looks: at each document, and for new pods.
const (
	documentLook = 5 * time.Millisecond
	podLook      = 100 * time.Millisecond
)

// watch starts the witness, which finds new pods by itself.
func (w *Work) watch() {
	w.witness, w.done = harness.Watch(w.t), make(chan struct{})
	seen := map[string]bool{}
	w.looks.Go(func() {
		for tick := time.NewTicker(podLook); ; {
			select {
			case <-w.done:
				tick.Stop()
				return
			case <-tick.C:
				w.findPods(seen)
			}
		}
	})
}

// findPods adds the pods that are new to the witness.
func (w *Work) findPods(seen map[string]bool) {
	for _, n := range w.Nodes {
		dirs, _ := filepath.Glob(n.root() + "/pods/*/volumes/kubernetes.io~empty-dir/lease*")
		for _, dir := range dirs {
			if seen[dir] {
				continue
			}
			if _, err := os.Stat(filepath.Join(dir, leadership.StateFile)); err != nil {
				continue // not yet
			}
			l, err := leadership.Read(dir)
			if err != nil {
				continue
			}
			seen[dir] = true
			if l.Namespace != w.Namespace {
				continue
			}
			pod, _, _ := strings.Cut(l.Identity, "_")
			w.witness.AddChannel(pod, "state", documentLook, func() (bool, string) {
				l, err := leadership.Read(dir)
				if err != nil {
					return false, ""
				}
				l = l.At(bootclock.System{}.Now())
				return l.IsLeader, l.Token
			})
		}
	}
}

func (w *Work) stopWatching() {
	w.stop.Do(func() {
		close(w.done)
		w.looks.Wait()
		w.witness.Stop()
	})
}

// Stretches returns every stretch in which a program worked, by its start.
func (w *Work) Stretches() []harness.Term {
	w.t.Helper()
	pods, err := os.ReadDir(w.dir)
	if err != nil {
		w.t.Fatal(err)
	}
	var all []harness.Term
	for _, pod := range pods {
		processes, err := journal.Read(filepath.Join(w.dir, pod.Name()))
		if err != nil {
			w.t.Fatal(err)
		}
		for _, p := range processes {
			for _, s := range p.Stretches {
				all = append(all, harness.Term{Replica: pod.Name(), Channel: string(p.Kind), Token: s.Token, From: s.From, To: s.To})
			}
		}
	}
	slices.SortFunc(all, func(a, b harness.Term) int { return cmp.Compare(a.From, b.From) })
	return all
}

// recent is how old the newest mark may be of a program that works: a busy machine lets it wait at times.
const recent = 500 * time.Millisecond

// Working returns the pod that works now; "" for none.
func (w *Work) Working() string {
	w.t.Helper()
	now := bootclock.System{}.Now()
	all := w.Stretches()
	for _, s := range slices.Backward(all) {
		if now.Sub(s.To) < recent {
			return s.Replica
		}
	}
	return ""
}

// AwaitWork waits until a pod works that is none of those named, and returns it.
func (w *Work) AwaitWork(bound time.Duration, but ...string) (pod string) {
	w.t.Helper()
	harness.Eventually(w.t, bound, "a pod works, and none of "+strings.Join(but, ", "), func() bool {
		pod = w.Working()
		return pod != "" && !slices.Contains(but, pod)
	})
	return pod
}

// Pods returns the workload's pods that are not about to go, by name.
func (w *Work) Pods() (pods []corev1.Pod) {
	w.t.Helper()
	list, err := w.Admin.CoreV1().Pods(w.Namespace).List(w.t.Context(), metav1.ListOptions{LabelSelector: "app=" + AppName})
	if err != nil {
		w.t.Fatal(err)
	}
	for _, p := range list.Items {
		if p.DeletionTimestamp == nil {
			pods = append(pods, p)
		}
	}
	return pods
}

// AwaitReady waits until that many pods are ready.
func (w *Work) AwaitReady(bound time.Duration, want int) {
	w.t.Helper()
	harness.Eventually(w.t, bound, "the pods are ready", func() bool {
		ready := 0
		for _, p := range w.Pods() {
			for _, c := range p.Status.Conditions {
				if c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue {
					ready++
				}
			}
		}
		return ready == want
	})
}

// Excuse takes the work of a pod between two instants out of the verdict, where the documentation says that it may overlap.
func (w *Work) Excuse(pod string, from, to bootclock.Instant) {
	w.excused = append(w.excused, harness.Term{Replica: pod, From: from, To: to})
}

// verdictLook is how long Verdict looks on, so that an overlap that has just begun shows its length.
const verdictLook = 2 * time.Second

// Verdict ends the records, and fails the test where two pods worked at once or two documents said at once that their replica leads.
// It logs every stretch of work, the changes of the pod that works, and the time in which none did.
func (w *Work) Verdict() Account {
	w.t.Helper()
	time.Sleep(verdictLook)
	w.stopWatching()
	w.witness.Verdict(w.t)
	var work []harness.Term
	for _, s := range w.Stretches() {
		excused := slices.ContainsFunc(w.excused, func(e harness.Term) bool {
			return e.Replica == s.Replica && !s.From.Before(e.From) && !e.To.Before(s.To)
		})
		if excused {
			w.t.Logf("figure: %s worked for %v on waking, before it was stopped", s.Replica, s.To.Sub(s.From))
			continue
		}
		work = append(work, s)
	}
	for _, o := range harness.Overlaps(work) {
		w.t.Errorf("two worked at once: %v", o)
	}
	a := account(work)
	for _, s := range a.spells {
		w.t.Logf("%s worked from %.3f to %.3f s", s.Replica, s.From.Sub(a.began).Seconds(), s.To.Sub(a.began).Seconds())
	}
	w.t.Logf("figure: %d changes of the pod that works; nobody worked for %.2f s, %.2f s at the longest; two at once for %.2f s",
		a.Changes, a.Idle.Seconds(), a.Longest.Seconds(), a.Double.Seconds())
	return a
}

// Between is what the work comes to between two instants, as far as it has been done.
func (w *Work) Between(from, to bootclock.Instant) Account {
	w.t.Helper()
	var work []harness.Term
	for _, s := range w.Stretches() {
		if s.From, s.To = max(s.From, from), min(s.To, to); s.From.Before(s.To) {
			work = append(work, s)
		}
	}
	return account(work)
}

// Account is what the work of a test comes to.
type Account struct {
	// Changes counts how often another pod worked than before.
	Changes int
	// Idle is the time, between the first mark and the last, in which nobody worked; Longest the longest part of it. Double is the
	// time in which two worked.
	Idle, Longest, Double time.Duration

	began  bootclock.Instant
	spells []harness.Term
}

// account joins the stretches of one pod that follow each other at once, and adds up the pauses.
func account(work []harness.Term) (a Account) {
	for _, s := range work {
		if n := len(a.spells); n > 0 && a.spells[n-1].Replica == s.Replica && s.From.Sub(a.spells[n-1].To) < recent {
			a.spells[n-1].To = max(a.spells[n-1].To, s.To)
			continue
		}
		a.spells = append(a.spells, s)
	}
	for i, s := range a.spells {
		if i == 0 {
			a.began = s.From
			continue
		}
		before := a.spells[i-1]
		if before.Replica != s.Replica {
			a.Changes++
		}
		if idle := s.From.Sub(before.To); idle > 0 {
			a.Idle += idle
			a.Longest = max(a.Longest, idle)
		}
	}
	for _, o := range harness.Overlaps(work) {
		a.Double += o.Span
	}
	return a
}
