package main

import (
	"net/http"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// Where all event streams are taken, `wait` asks for the document instead.
func TestWaitWithoutAStream(t *testing.T) {
	r := campaign(t, "--store", "dir:"+filepath.Join(t.TempDir(), "store"))
	address := r.address("http-address")
	transport := &http.Transport{}
	streams := &http.Client{Transport: transport}
	for i := range 1001 {
		response, err := streams.Get("http://" + address + "/events")
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		if full := response.StatusCode == http.StatusServiceUnavailable; full != (i == 1000) {
			t.Fatalf("stream %d: %s; want 1000 of them, and no more", i+1, response.Status)
		}
	}
	if out, err := exec.Command("lease-sidecar", "wait", "--timeout", "30s", "--http-address", address).CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	transport.CloseIdleConnections()
	r.within(time.Second, "it leads", func() bool { status, _ := r.get("http-address", "/leader"); return status == http.StatusOK })
}
