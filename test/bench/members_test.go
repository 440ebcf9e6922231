//go:build linux

package bench

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lease-sidecar/lease-sidecar/internal/membership"
	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
	"github.com/lease-sidecar/lease-sidecar/pkg/lease/kube"
	"github.com/lease-sidecar/lease-sidecar/test/harness"
)

var (
	sizes          = flag.String("members", "10,100", "how many members an election has, in one run after the other")
	memberDuration = flag.Duration("member-duration", membership.DefaultDuration, "the members' duration; they renew four times as often")
)

// TestMembers measures what memberships of several sizes cost on a real API server: the requests, and how long it takes until all agree
// after one has left. The members are in this process, each with connections of its own. Every member sees every renewal: 500 at the
// defaults need more than two cores for the 28,000 events/s that this makes.
func TestMembers(t *testing.T) {
	cluster := harness.Start(t)
	for text := range strings.SplitSeq(*sizes, ",") {
		n, err := strconv.Atoi(text)
		if err != nil {
			t.Fatal(err)
		}
		measureMembers(t, cluster, n)
	}
}

func measureMembers(t *testing.T, cluster *harness.Cluster, n int) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	defer running.Wait()
	defer cancel()
	namespace := cluster.Namespace(t, nil)
	var all []*membership.Membership
	began := time.Now()
	for i := range n {
		client, err := kube.NewClient(cluster.AdminConfig(), slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		pod := fmt.Sprintf("web-%d", i)
		m, err := membership.New(membership.Config{
			Lease: "bench", Namespace: namespace, Pod: pod, Revision: "a", Priority: 10, Duration: *memberDuration, RenewInterval: *memberDuration / 4,
		}.WithDefaults(), membership.Deps{
			Members: client.Members(namespace, "bench"), Clock: bootclock.System{}, BootID: "bench", Log: slog.New(slog.DiscardHandler),
			Identity: func() string { return fmt.Sprintf("%s_00000000-0000-4000-8000-%012d", pod, i) },
		}, membership.Outputs{})
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, m)
		running.Go(func() { m.Run(ctx) })
		time.Sleep(20 * time.Millisecond) // a fleet does not start in one instant
	}
	agreed := func(live int) (ok int) {
		for _, m := range all {
			if m.Roster().Counts().Live == live {
				ok++
			}
		}
		return ok
	}
	if !harness.Within(time.Minute+*memberDuration, 100*time.Millisecond, func() bool { return agreed(n) == n }) {
		t.Fatalf("%d members: only %d know all", n, agreed(n))
	}
	t.Logf("%3d members: all know all %v after the first start", n, time.Since(began).Round(100*time.Millisecond))

	before, from := requests(all), time.Now()
	time.Sleep(time.Minute)
	after, took := requests(all), time.Since(from)
	t.Logf("%3d members: %.2f requests/s in all, %.1f a minute for each: %v; each watch delivers %.1f events/s", n,
		float64(after["all"]-before["all"])/took.Seconds(), float64(after["all"]-before["all"])/float64(n)/took.Minutes(),
		difference(after, before), float64(after["renew"]-before["renew"])/took.Seconds())

	gone := all[n/2]
	all = append(all[:n/2:n/2], all[n/2+1:]...)
	left := time.Now()
	gone.Leave(ctx)
	wrote := time.Since(left)
	var half time.Duration
	if !harness.Within(time.Minute, time.Millisecond, func() bool {
		ok := agreed(n - 1)
		if half == 0 && ok >= len(all)/2 {
			half = time.Since(left)
		}
		return ok == len(all)
	}) {
		t.Fatalf("%d members: a minute after one has left, %d of %d agree", n, agreed(n-1), len(all))
	}
	t.Logf("%3d members: one leaves with a write of %v; half of the others know after %v, all after %v", n,
		wrote.Round(time.Millisecond), half.Round(time.Millisecond), time.Since(left).Round(time.Millisecond))
}

// requests sums the requests of all members by verb, and under "all".
func requests(all []*membership.Membership) map[string]int {
	sum := map[string]int{}
	for _, m := range all {
		for verb, n := range m.Requests() {
			sum[verb] += n.Sent
			sum["all"] += n.Sent
		}
	}
	return sum
}

func difference(a, b map[string]int) map[string]int {
	d := map[string]int{}
	for verb, n := range a {
		if n -= b[verb]; n != 0 && verb != "all" {
			d[verb] = n
		}
	}
	return d
}
