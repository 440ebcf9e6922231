//go:build linux

package bench

import (
	"bufio"
	"net/http"
	"strings"
	"testing"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lease-sidecar/lease-sidecar/pkg/lease"
	"github.com/lease-sidecar/lease-sidecar/pkg/naming"
	"github.com/lease-sidecar/lease-sidecar/test/bench/result"
	"github.com/lease-sidecar/lease-sidecar/test/harness"
)

// signalKind is what a sidecar has beside the signal files and HTTP: one signal each, as signals that run together compete for the
// processor, and a workload needs one of them.
type signalKind string

const (
	onlyFiles   signalKind = "files"
	withProcess signalKind = "process"
	withCommand signalKind = "command"
	onDisk      signalKind = "disk" // a signal directory that is not in memory
)

var signalKinds = []signalKind{onlyFiles, withProcess, withCommand, onDisk}

// signalRig is a sidecar, and what sees each of its signals.
type signalRig struct {
	build
	kind     signalKind
	election *harness.Election
	sidecar  *harness.Sidecar
	line     *harness.Proxy
	files    *directory
	command  *pipe
	seen     map[string]chan time.Time
	took     map[string][]time.Duration
}

func newSignalRig(t *testing.T, cluster *harness.Cluster, b build, kind signalKind) *signalRig {
	t.Helper()
	r := &signalRig{
		build: b, kind: kind, election: harness.NewElection(t, cluster, leaseDuration), line: cluster.Proxy(t),
		command: newPipe(t), seen: map[string]chan time.Time{}, took: map[string][]time.Duration{},
	}
	r.election.Ship(t)
	r.hold(t)
	r.line.Trace()
	pod, dir := newSignalPod(t, b.path), ""
	if kind != onDisk {
		dir = harness.NewVolume(t).Dir
	}
	s := r.election.Prepare(t, "web-"+string(kind))
	s.Binary, s.Kubeconfig = pod.launcher, r.election.Access.Kubeconfig(t, r.line.Host())
	s.Args = append(s.Args, "--log-level", "info") // the last one counts
	if dir != "" {
		s.Dir = dir
		s.Args = append(s.Args, "--signal-dir", dir)
	}
	switch kind {
	case withProcess:
		s.Args = append(s.Args, "--pid-file", pod.pidFile, "--on-elected", "USR1", "--on-lost", "USR2")
		r.seen["process"] = pod.signals
	case withCommand:
		s.Args = append(s.Args, "--", "cat", r.command.path)
		r.seen["child"] = r.command.at
	case onlyFiles, onDisk:
	}
	r.files = watchDirectory(t, s.Dir)
	s.Start(t, r.election)
	r.sidecar = s
	harness.Eventually(t, slack, "it knows the holder", func() bool { return s.State().Leader == "other" })
	if kind == onlyFiles {
		r.seen["http"] = make(chan time.Time, 1)
		r.stream(t)
	}
	return r
}

// stream follows the sidecar's events over HTTP.
func (r *signalRig) stream(t *testing.T) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+r.sidecar.HTTP+"/events", nil)
	if err != nil {
		t.Fatal(err)
	}
	reply, err := http.DefaultClient.Do(request)
	if err != nil || reply.StatusCode != http.StatusOK {
		t.Fatalf("follow the events: %+v, %v", reply, err)
	}
	t.Cleanup(func() { _ = reply.Body.Close() })
	go func() { // ends with the stream
		for lines := bufio.NewScanner(reply.Body); lines.Scan(); {
			if strings.Contains(lines.Text(), `"isLeader":true`) {
				r.seen["http"] <- time.Now()
			}
		}
	}()
}

// hold writes another candidate into the Lease, as if it had just taken it.
func (r *signalRig) hold(t *testing.T) {
	t.Helper()
	r.election.Edit(t, func(l *coordinationv1.Lease) {
		const holder = "other_00000000-0000-4000-8000-000000000001"
		now := metav1.NewMicroTime(time.Now())
		l.Spec.HolderIdentity, l.Spec.LeaseDurationSeconds = new(holder), new(int32(leaseDuration/time.Second))
		l.Spec.AcquireTime, l.Spec.RenewTime = &now, &now
		l.Annotations[naming.AnnotationFencedBy] = lease.HeldMark(holder, leaseDuration)
	})
}

// release writes that one's release.
func (r *signalRig) release(t *testing.T) {
	t.Helper()
	r.election.Edit(t, func(l *coordinationv1.Lease) {
		now := metav1.NewMicroTime(time.Now().UTC().Truncate(time.Microsecond))
		l.Spec.HolderIdentity, l.Spec.LeaseDurationSeconds, l.Spec.RenewTime = new(string), new(int32(1)), &now
		l.Annotations[naming.AnnotationFencedBy] = lease.ReleasedMark(now.Time)
	})
}

// term has the sidecar lead once, and adds how long its signals took.
func (r *signalRig) term(t *testing.T) {
	t.Helper()
	if r.kind == withCommand {
		r.command.expect()
	}
	r.line.Passages()
	r.files.forget()
	r.release(t)
	at, ok := r.files.awaitLeader(2*leaseDuration + slack)
	if !ok {
		t.Fatalf("no leader file; the end of the log:\n%s", r.sidecar.Tail(10))
	}
	for name, seen := range r.seen {
		select {
		case at[name] = <-seen:
		case <-time.After(slack):
			t.Fatalf("no signal of the kind %q; the end of the log:\n%s", name, r.sidecar.Tail(10))
		}
	}
	answer := takeAnswered(r.line.Passages(), at["file"])
	if answer.IsZero() {
		t.Fatal("the proxy has seen no take")
	}
	for name, d := range splitSignals(r.kind, answer, at) {
		r.took[name] = append(r.took[name], d)
	}
	r.hold(t)
	harness.Eventually(t, slack, "it leads no more", func() bool { return r.sidecar.State().Leader == "other" && !r.sidecar.HasLeaderFile() })
	if r.kind == withCommand {
		r.command.close()
	}
	time.Sleep(20 * time.Millisecond) // its command has ended
}

func (r *signalRig) record(t *testing.T) {
	t.Helper()
	for _, name := range signalFigures[r.kind] {
		record(t, result.Series{Figure: "signal/" + name, Subject: r.subject, Unit: "ms", Values: milliseconds(r.took[name])})
	}
}
