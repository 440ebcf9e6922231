//go:build linux

package bench

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/lease-sidecar/lease-sidecar/test/bench/result"
	"github.com/lease-sidecar/lease-sidecar/test/harness"
)

// fleetSizes are the numbers of replicas; those of -short are the first ones.
var fleetSizes = []int{1, 3, 10, 50}

// TestFleet counts the requests of idle fleets of several sizes, all at the same time, and the memory that a node pays for them. Each
// fleet runs a copy of the program that is in no page cache before: the group of the fleet is charged with all that the fleet needs,
// and once with what the replicas share.
func TestFleet(t *testing.T) {
	cluster := harness.Start(t) // its own: all its requests are counted
	sizes := fleetSizes
	if testing.Short() {
		sizes = sizes[:2]
	}
	var all []*herd
	for _, size := range sizes {
		for _, b := range builds(t) {
			all = append(all, startSidecars(t, cluster, b, size))
		}
		all = append(all, startPeers(t, cluster, result.ClientGo, peerDefaults, size), startPeers(t, cluster, result.Tuned, peerTuned, size))
	}
	time.Sleep(sized(0, 10*time.Second, 3*time.Second))
	from := time.Now()
	time.Sleep(sized(*fleetSpan, 30*time.Second, 9*time.Second))
	to := time.Now()
	for _, h := range all {
		use := h.group.MemoryUse()
		if n := len(h.group.PIDs()); n != h.size {
			t.Errorf("%s, %d replicas: %d processes are left", h.subject, h.size, n)
		}
		at := float64(h.size)
		record(t, result.Series{Figure: "requests/fleet", Subject: h.subject, Unit: "1/s", At: at, Values: []float64{h.election.RequestRate(t, from, to)}})
		record(t, result.Series{
			Figure: "node/memory", Subject: h.subject, Unit: "MiB", At: at, Values: []float64{float64(use.All) / (1 << 20)},
			Note: "all that the kernel charges, the program's file included",
		})
		record(t, result.Series{
			Figure: "node/working-set", Subject: h.subject, Unit: "MiB", At: at, Values: []float64{float64(use.WorkingSet) / (1 << 20)},
			Note: "without the pages of files that the kernel takes back first",
		})
	}
}

// herd is the candidates of one election in a control group of their own.
type herd struct {
	subject  result.Subject
	size     int
	election *harness.Election
	group    *harness.Cgroup
}

func newHerd(t *testing.T, cluster *harness.Cluster, who result.Subject, size int) *herd {
	t.Helper()
	h := &herd{subject: who, size: size, election: harness.NewElection(t, cluster, leaseDuration), group: harness.NewCgroup(t)}
	h.election.ShipFree(t)
	return h
}

func startSidecars(t *testing.T, cluster *harness.Cluster, b build, size int) *herd {
	t.Helper()
	h := newHerd(t, cluster, b.subject, size)
	launcher := h.group.Launcher(cold(t, b.path))
	var replicas []*harness.Sidecar
	for i := range size {
		s := prepare(t, h.election, fmt.Sprintf("web-%d", i), launcher)
		s.Start(t, h.election)
		replicas = append(replicas, s)
	}
	leader := harness.AwaitLeader(t, leaseDuration+slack, replicas...)
	harness.Eventually(t, slack, "all know the leader: their start has no request left", func() bool {
		return !slices.ContainsFunc(replicas, func(s *harness.Sidecar) bool { return s.State().Leader != leader.Pod })
	})
	return h
}

func startPeers(t *testing.T, cluster *harness.Cluster, who result.Subject, o harness.PeerOptions, size int) *herd {
	t.Helper()
	h := newHerd(t, cluster, who, size)
	launcher := h.group.Launcher(cold(t, harness.PeerBinary(t, "v0.37")))
	o.Launcher = func(string) string { return launcher }
	o.Kubeconfig = h.election.Access.Kubeconfig(t, cluster.Host())
	var all []*harness.Peer
	for i := range size {
		all = append(all, h.election.StartPeer(t, fmt.Sprintf("peer-%d", i), o))
	}
	harness.Eventually(t, leaseDuration+slack, "one of client-go's leads", func() bool {
		for _, p := range all {
			if leads, _ := p.Leads(); leads {
				return true
			}
		}
		return false
	})
	return h
}

// cold copies a program, and has the kernel drop the copy from the page cache: whoever runs it first is charged with its pages.
func cold(t *testing.T, path string) string {
	t.Helper()
	from, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = from.Close() }()
	name := filepath.Join(t.TempDir(), filepath.Base(path))
	to, err := os.OpenFile(name, os.O_CREATE|os.O_WRONLY, 0o700)
	if err != nil {
		t.Fatal(err)
	}
	if _, err = io.Copy(to, from); err == nil {
		err = to.Sync() // the kernel drops what is on the disk
	}
	if err == nil {
		err = unix.Fadvise(int(to.Fd()), 0, 0, unix.FADV_DONTNEED)
	}
	if err != nil {
		t.Fatal(err)
	}
	if err := to.Close(); err != nil {
		t.Fatal(err)
	}
	return name
}
