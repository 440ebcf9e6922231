//go:build linux

package bench

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/lease-sidecar/lease-sidecar/test/bench/result"
	"github.com/lease-sidecar/lease-sidecar/test/harness"
)

// maxSamples bounds the latencies that are kept of one series.
const maxSamples = 1000

// TestHTTP has clients ask a leader for /leader, each over a connection of its own and as fast as it is answered, while the election
// goes on. The clients share the machine with the sidecar, which uses one processor at a time as it is shipped. A term that is lost, or
// a renewal that is late, fails the test: then it was not the answers of a leader that were measured.
func TestHTTP(t *testing.T) {
	cluster := harness.Start(t)
	for _, b := range builds(t) {
		e := harness.NewElection(t, cluster, leaseDuration)
		e.ShipFree(t)
		leader := replica(t, e, "web-0", b.path, false)
		harness.AwaitLeader(t, leaseDuration+slack, leader)
		_, token := leader.Leads()
		began := time.Now()
		for _, clients := range []int{1, 16, 64} {
			load(t, b, leader, clients)
		}
		if leads, same := leader.Leads(); !leads || same != token {
			t.Errorf("%s: the leader lost its term %s under load", b.name, token)
		}
		if gap := longestGap(t, e, began); gap >= e.RenewDeadline() {
			t.Errorf("%s: no renewal for %v under load", b.name, gap)
		} else {
			t.Logf("%s: the longest time between two renewals was %v", b.name, gap.Round(time.Millisecond))
		}
	}
}

// load measures the answers to a number of clients.
func load(t *testing.T, b build, leader *harness.Sidecar, clients int) {
	t.Helper()
	span := sized(*loadSpan, 5*time.Second, 1500*time.Millisecond)
	took := make([][]time.Duration, clients)
	var asking sync.WaitGroup
	end := time.Now().Add(span)
	for i := range clients {
		asking.Go(func() {
			var err error
			if took[i], err = ask(leader.HTTP, end); err != nil {
				t.Errorf("a client of %d: %v", clients, err)
			}
		})
	}
	asking.Wait()
	all := slices.Sorted(slices.Values(slices.Concat(took...)))
	at := float64(clients)
	record(t, result.Series{Figure: "http/rate", Subject: b.subject, Unit: "1/s", At: at, Values: []float64{float64(len(all)) / span.Seconds()}})
	record(t, result.Series{
		Figure: "http/latency", Subject: b.subject, Unit: "ms", At: at, Values: milliseconds(sample(all)),
		Note: fmt.Sprintf("of %d answers", len(all)),
	})
}

// ask asks for /leader over one connection until end, and returns how long each answer took.
func ask(address string, end time.Time) (took []time.Duration, err error) {
	conn, err := net.Dial("tcp", address)
	if err != nil {
		return nil, err
	}
	defer func() { _ = conn.Close() }()
	answers := bufio.NewReader(conn)
	for time.Now().Before(end) {
		asked := time.Now()
		if _, err := io.WriteString(conn, "GET /leader HTTP/1.1\r\nHost: localhost\r\n\r\n"); err != nil {
			return took, err
		}
		answer, err := http.ReadResponse(answers, nil)
		if err != nil {
			return took, err
		}
		_, err = io.Copy(io.Discard, answer.Body)
		if err = errors.Join(err, answer.Body.Close()); err != nil {
			return took, err
		}
		if answer.StatusCode != http.StatusOK {
			return took, fmt.Errorf("the leader answered %s", answer.Status)
		}
		took = append(took, time.Since(asked))
	}
	return took, nil
}

// sample keeps every n-th of many sorted values, and the greatest, so that the ranks stay what they are.
func sample(sorted []time.Duration) []time.Duration {
	if len(sorted) <= maxSamples {
		return sorted
	}
	kept := make([]time.Duration, maxSamples)
	for i := range kept {
		kept[i] = sorted[(i+1)*len(sorted)/maxSamples-1]
	}
	return kept
}

// longestGap is the longest time between two renewals since then, by the audit log.
func longestGap(t *testing.T, e *harness.Election, since time.Time) (gap time.Duration) {
	t.Helper()
	renewals := e.Cluster.Audit.Requests(t, since, func(r harness.Request) bool {
		return r.Namespace == e.Namespace && r.Verb == "update" && r.Code == http.StatusOK
	})
	if len(renewals) == 0 {
		t.Fatal("nothing was renewed")
	}
	last := since
	for _, r := range renewals {
		gap, last = max(gap, r.Received.Sub(last)), r.Received
	}
	return max(gap, time.Since(last))
}
