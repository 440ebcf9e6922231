//go:build linux

package e2e

import (
	"slices"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
	"github.com/lease-sidecar/lease-sidecar/test/e2e/lab"
	"github.com/lease-sidecar/lease-sidecar/test/harness"
)

// scene is three replicas under a fault, and the pod that works at its beginning.
type scene struct {
	*lab.Work
	t      *testing.T
	leader string
}

// fault is something that goes wrong with the pod that works, or with its node.
type fault struct {
	name string
	app  lab.App
	// strike does it, waits for what must follow, and ends it.
	strike func(s scene)
}

// takeover is how long it takes until another replica works, where nothing was released.
const takeover = leaseDuration + slack

// faults are those of one pod. Each is in a namespace of its own, and they run beside each other.
var faults = []fault{
	{name: "pod deleted", strike: func(s scene) {
		s.Kubectl("delete", "pod", s.leader, "--wait=false")
		s.another()
	}},
	{name: "pod deleted by force", strike: func(s scene) {
		s.Kubectl("delete", "pod", s.leader, "--force", "--grace-period=0", "--wait=false")
		s.another()
	}},
	{name: "pod evicted", strike: func(s scene) {
		err := s.Admin.PolicyV1().Evictions(s.Namespace).Evict(s.t.Context(), &policyv1.Eviction{ObjectMeta: metav1.ObjectMeta{Name: s.leader, Namespace: s.Namespace}})
		if err != nil {
			s.t.Fatal(err)
		}
		s.another()
	}},
	{name: "app killed", strike: func(s scene) {
		s.Container(s.leader, lab.AppContainer).Kill()
		s.restarted(lab.AppContainer)
		s.AwaitWork(takeover)
	}},
	{name: "sidecar killed", strike: func(s scene) {
		s.Container(s.leader, lab.SidecarContainer).Kill()
		s.restarted(lab.SidecarContainer)
		s.AwaitWork(takeover)
	}},
	{name: "sidecar out of memory", strike: func(s scene) {
		s.Container(s.leader, lab.SidecarContainer).ExhaustMemory()
		if ended := s.restarted(lab.SidecarContainer); ended == nil || ended.Reason != "OOMKilled" {
			s.t.Errorf("the sidecar ended so: %+v", ended)
		}
		s.AwaitWork(takeover)
	}, app: lab.App{Edit: limitMemory}},
	{name: "app crashes again and again", strike: func(s scene) {
		s.restarted(lab.AppContainer)
		s.AwaitWork(takeover)
	}, app: lab.App{Conduct: harness.Conduct{"Crash": 3 * time.Second}}},
	{name: "sidecar frozen", strike: func(s scene) {
		thaw := s.Container(s.leader, lab.SidecarContainer).Freeze()
		s.another()
		thaw()
	}},
	{name: "app frozen", strike: func(s scene) {
		thaw := s.Container(s.leader, lab.AppContainer).Freeze()
		s.nobodyElse(2 * leaseDuration)
		thaw()
		s.AwaitWork(slack)
	}},
	{name: "pod frozen", strike: func(s scene) {
		c := s.Container(s.leader, lab.AppContainer)
		from := bootclock.System{}.Now()
		thaw := c.FreezePod()
		s.another()
		// On waking, a program may go on until it looks at the clock. The fencing token is for that.
		s.Excuse(s.leader, from, bootclock.System{}.Now().Add(time.Second))
		thaw()
	}},
	{name: "API server out of reach for 5 s", strike: func(s scene) {
		heal := s.Container(s.leader, lab.SidecarContainer).Cut(lab.APIServer)
		s.nobodyElse(5 * time.Second)
		heal()
		s.nobodyElse(leaseDuration)
		s.same()
	}},
	{name: "API server out of reach for 40 s", strike: func(s scene) {
		began := time.Now()
		heal := s.Container(s.leader, lab.SidecarContainer).Cut(lab.APIServer)
		s.another()
		time.Sleep(time.Until(began.Add(40 * time.Second)))
		heal()
	}},
	{name: "app works on after the grace period", strike: func(s scene) {
		s.Kubectl("delete", "pod", s.leader, "--wait=false")
		s.another()
	}, app: lab.App{Conduct: harness.Conduct{"Ignore": true}, Edit: grace(8)}},
	{name: "app takes 25 s to stop", strike: slowStop, app: lab.App{Conduct: harness.Conduct{"Stop": 25 * time.Second}, Edit: grace(60)}},
	{name: "sidecar killed while the app stops", strike: func(s scene) {
		asked := bootclock.System{}.Now()
		c := s.Container(s.leader, lab.SidecarContainer)
		s.Kubectl("delete", "pod", s.leader, "--wait=false")
		time.Sleep(3 * time.Second)
		c.Kill()
		s.another()
		s.workedUntil(asked.Add(14 * time.Second))
	}, app: lab.App{Conduct: harness.Conduct{"Stop": 15 * time.Second}, Edit: grace(60)}},
	{name: "preStop longer than the grace period", strike: func(s scene) {
		s.Kubectl("delete", "pod", s.leader, "--wait=false")
		s.another()
	}, app: lab.App{Edit: func(d *appsv1.Deployment) {
		grace(8)(d)
		d.Spec.Template.Spec.Containers[0].Lifecycle = &corev1.Lifecycle{PreStop: &corev1.LifecycleHandler{Sleep: &corev1.SleepAction{Seconds: 7}}}
	}}},
	{name: "sidecar fails its liveness probe", strike: func(s scene) {
		heal := s.Container(s.leader, lab.SidecarContainer).Cut("tcp sport 4041")
		s.restarted(lab.SidecarContainer)
		heal()
		s.AwaitWork(takeover)
	}, app: lab.App{Edit: func(d *appsv1.Deployment) {
		probe := d.Spec.Template.Spec.InitContainers[0].LivenessProbe
		probe.PeriodSeconds, probe.TimeoutSeconds, probe.FailureThreshold = 1, 1, 3
	}}},
}

// inOtherModes are faults of pods in which the sidecar is not a native one. The program in child mode needs no signal and no file.
func inOtherModes() (all []fault) {
	for _, m := range []lab.Mode{lab.Classic, lab.ChildVolume, lab.ChildCopy} {
		sidecar := lab.SidecarContainer
		if m != lab.Classic {
			sidecar = lab.AppContainer // they share one container
		}
		all = append(all,
			fault{name: "pod deleted", app: lab.App{Mode: m}, strike: func(s scene) {
				s.Kubectl("delete", "pod", s.leader, "--wait=false")
				s.another()
			}},
			fault{name: "app takes 25 s to stop", app: lab.App{Mode: m, Conduct: harness.Conduct{"Stop": 25 * time.Second}, Edit: grace(60)}, strike: slowStop},
			fault{name: "sidecar killed", app: lab.App{Mode: m}, strike: func(s scene) {
				s.Container(s.leader, sidecar).Kill()
				s.restarted(sidecar)
				s.AwaitWork(takeover)
			}},
			fault{name: "API server out of reach for 40 s", app: lab.App{Mode: m}, strike: func(s scene) {
				heal := s.Container(s.leader, sidecar).Cut(lab.APIServer)
				s.another()
				time.Sleep(15 * time.Second)
				heal()
			}},
		)
	}
	return all
}

// slowStop deletes the pod of a program that takes 25 s to stop, and gets them. A native sidecar learns at once, by its preStop hook, that
// the pod ends, and leads on.
func slowStop(s scene) {
	native := slices.ContainsFunc(s.Pod(s.t, s.Namespace, s.leader).Spec.InitContainers, harness.Native)
	asked := bootclock.System{}.Now()
	s.Kubectl("delete", "pod", s.leader, "--wait=false")
	if native {
		harness.Eventually(s.t, 15*time.Second, "the sidecar knows that its pod ends", func() bool {
			return strings.Contains(s.Kubectl("logs", s.leader, "-c", lab.SidecarContainer), `"reason":"Leaving"`)
		})
	}
	s.another()
	s.workedUntil(asked.Add(24 * time.Second))
}

// faultsOfNodes strike all that runs there, so they come one after the other.
var faultsOfNodes = []fault{
	{name: "node drained", strike: func(s scene) {
		node := s.Pod(s.t, s.Namespace, s.leader).Spec.NodeName
		s.t.Cleanup(func() { s.LateKubectl(s.t, s.Namespace, "uncordon", node) })
		s.Kubectl("drain", node, "--force", "--ignore-daemonsets", "--delete-emptydir-data", "--timeout=50s")
		if next := s.another(); s.Pod(s.t, s.Namespace, next).Spec.NodeName == node {
			s.t.Errorf("%s works on the node that was drained", next)
		}
		s.Kubectl("uncordon", node)
	}},
	{name: "kubelet killed for 20 s", strike: func(s scene) { s.withoutKubelet(20*time.Second, func() { s.nobodyElse(20 * time.Second) }) }},
	{name: "kubelet killed for 60 s", strike: func(s scene) { s.withoutKubelet(60*time.Second, func() { s.nobodyElse(60 * time.Second) }) }},
	{name: "pod deleted by force while its kubelet is dead", strike: func(s scene) {
		s.withoutKubelet(0, func() {
			// The pod is gone for the API server alone, and runs on. Its token is refused from then on: it cannot renew.
			s.Kubectl("delete", "pod", s.leader, "--force", "--grace-period=0", "--wait=false")
			s.another()
		})
	}},
	{name: "API server killed and started again", strike: func(s scene) {
		s.KillAPI(s.t)
		time.Sleep(2 * time.Second)
		s.RestartAPI(s.t)
		s.nobodyElse(leaseDuration)
		s.same()
	}},
}

func TestFaults(t *testing.T) {
	t.Run("of pods", func(t *testing.T) {
		for _, f := range append(faults, inOtherModes()...) {
			name := f.name
			if f.app.Mode != "" {
				name = string(f.app.Mode) + "/" + name
			}
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				f.play(t)
			})
		}
	})
	t.Run("of nodes", func(t *testing.T) {
		for _, f := range faultsOfNodes {
			t.Run(f.name, f.play)
		}
	})
}

// play deploys three replicas, waits until one works, and strikes. In the end all are ready, one works, and no two have at once.
func (f fault) play(t *testing.T) {
	s := scene{Work: lab.Deploy(t, lab.Shared(t), f.app), t: t}
	s.AwaitReady(slack, 3)
	s.leader = s.AwaitWork(takeover)
	f.strike(s)
	if f.app.Conduct["Crash"] == nil {
		s.AwaitReady(2*slack, 3)
		s.AwaitWork(takeover)
	}
	s.Verdict()
}

// another waits until another pod works.
func (s scene) another() string {
	s.t.Helper()
	began := time.Now()
	next := s.AwaitWork(takeover, s.leader)
	s.t.Logf("figure: another pod was seen to work %.1f s after the fault began", time.Since(began).Seconds())
	return next
}

// nobodyElse watches for a while that no other pod works.
func (s scene) nobodyElse(span time.Duration) {
	s.t.Helper()
	harness.Throughout(s.t, span, "no other pod works", func() bool {
		w := s.Working()
		return w == "" || w == s.leader
	})
}

// same asks for the pod that worked before to work now.
func (s scene) same() {
	s.t.Helper()
	if got := s.AwaitWork(takeover); got != s.leader {
		s.t.Errorf("%s works, want %s as before", got, s.leader)
	}
}

// restarted waits until the kubelet has started a container of the pod again, and returns how it had ended.
func (s scene) restarted(container string) (ended *corev1.ContainerStateTerminated) {
	s.t.Helper()
	harness.Eventually(s.t, 2*slack, container+" has been started again", func() bool {
		p, err := s.Admin.CoreV1().Pods(s.Namespace).Get(s.t.Context(), s.leader, metav1.GetOptions{})
		if err != nil {
			s.t.Fatal(err)
		}
		for _, c := range append(p.Status.InitContainerStatuses, p.Status.ContainerStatuses...) {
			if c.Name == container && c.RestartCount > 0 {
				ended = c.LastTerminationState.Terminated
				return true
			}
		}
		return false
	})
	return ended
}

// workedUntil asks for the pod that was to stop to have worked up to an instant at least.
func (s scene) workedUntil(instant bootclock.Instant) {
	s.t.Helper()
	var last bootclock.Instant
	for _, stretch := range s.Stretches() {
		if stretch.Replica == s.leader {
			last = max(last, stretch.To)
		}
	}
	if last.Before(instant) {
		s.t.Errorf("the app was stopped %v too early", instant.Sub(last))
	}
}

// withoutKubelet kills the kubelet of the pod's node, and starts it again after do.
func (s scene) withoutKubelet(span time.Duration, do func()) {
	s.t.Helper()
	node := s.NodeOf(s.t, s.Pod(s.t, s.Namespace, s.leader))
	node.KillKubelet()
	began := time.Now()
	defer func() {
		time.Sleep(time.Until(began.Add(span)))
		node.StartKubelet(s.t)
	}()
	do()
}

// grace gives the pods that many seconds to end.
func grace(seconds int64) func(*appsv1.Deployment) {
	return func(d *appsv1.Deployment) { d.Spec.Template.Spec.TerminationGracePeriodSeconds = &seconds }
}
