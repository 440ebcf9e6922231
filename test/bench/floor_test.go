//go:build linux

package bench

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"testing"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"

	"github.com/lease-sidecar/lease-sidecar/test/harness"
)

// floor is what no handover can avoid: one client writes the Lease, another one sees that on its watch and writes it, too. Both are
// plain HTTP/1.1 clients with warm connections, as the sidecar's are, and the watch has one of its own.
type floor struct {
	url           string
	lease         *coordinationv1.Lease
	first, second *http.Client
	events        chan string // the versions that the watch brings
}

func newFloor(t *testing.T, cluster *harness.Cluster) *floor {
	t.Helper()
	e := harness.NewElection(t, cluster, leaseDuration)
	e.ShipFree(t)
	f := &floor{lease: e.Read(t), events: make(chan string, 16)}
	leases := cluster.Host() + "/apis/coordination.k8s.io/v1/namespaces/" + e.Namespace + "/leases"
	f.url = leases + "/" + e.Lease
	client := func() *http.Client {
		config := e.Access.Config()
		config.NextProtos = []string{"http/1.1"}
		c, err := rest.HTTPClientFor(config)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	f.first, f.second = client(), client()
	query := url.Values{"watch": {"true"}, "resourceVersion": {f.lease.ResourceVersion}, "fieldSelector": {"metadata.name=" + e.Lease}}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, leases+"?"+query.Encode(), nil)
	if err != nil {
		t.Fatal(err)
	}
	reply, err := client().Do(request)
	if err != nil || reply.StatusCode != http.StatusOK {
		t.Fatalf("open the watch: %+v, %v", reply, err)
	}
	t.Cleanup(func() { _ = reply.Body.Close() })
	go func() { // ends with the watch
		for frames := json.NewDecoder(reply.Body); ; {
			var event struct{ Object metav1.PartialObjectMetadata }
			if frames.Decode(&event) != nil {
				return
			}
			f.events <- event.Object.ResourceVersion
		}
	}()
	f.measure(t) // connects
	return f
}

// measure returns the time from the first write to the answer to the second.
func (f *floor) measure(t *testing.T) time.Duration {
	t.Helper()
	start, known := time.Now(), *f.lease
	answered := make(chan *coordinationv1.Lease, 1)
	go func() { answered <- f.put(t, f.first, known) }()
	f.lease.ResourceVersion = f.await(t)
	second := f.put(t, f.second, *f.lease)
	took := time.Since(start)
	if first := <-answered; first == nil || second == nil || f.await(t) != second.ResourceVersion {
		t.Fatal("a write of the floor was refused")
	}
	f.lease = second
	return took
}

func (f *floor) await(t *testing.T) string {
	t.Helper()
	select {
	case version := <-f.events:
		return version
	case <-time.After(slack):
		t.Fatal("the watch of the floor brings nothing")
		return ""
	}
}

// put writes the Lease with a fresh time; nil: it was refused.
func (f *floor) put(t *testing.T, client *http.Client, l coordinationv1.Lease) *coordinationv1.Lease {
	l.Spec.RenewTime = new(metav1.NewMicroTime(time.Now()))
	body, err := json.Marshal(&l)
	if err != nil {
		t.Error(err)
		return nil
	}
	request, err := http.NewRequest(http.MethodPut, f.url, bytes.NewReader(body))
	if err != nil {
		t.Error(err)
		return nil
	}
	request.Header.Set("Content-Type", "application/json")
	reply, err := client.Do(request)
	if err != nil {
		t.Error(err)
		return nil
	}
	defer func() { _ = reply.Body.Close() }()
	answer, err := io.ReadAll(reply.Body)
	written := &coordinationv1.Lease{}
	if err == nil && reply.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %.300s", reply.Status, answer)
	}
	if err == nil {
		err = json.Unmarshal(answer, written)
	}
	if err != nil {
		t.Error(err)
		return nil
	}
	return written
}
