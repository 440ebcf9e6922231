//go:build linux

package fencing

import (
	"net/http"
	"strings"
	"testing"
)

// TestMetadataIsNotInTheETag shows why the token stands in the object: a claim in the metadata leaves the ETag as it was, and a late
// write on the condition of the old ETag lands.
func TestMetadataIsNotInTheETag(t *testing.T) {
	t.Parallel()
	s := start(t, (*servers).startS3)
	put := func(token, condition, content string) (status int, etag string) {
		status, etag, _ = s.askS3(t, "trap", "--request", "PUT", "--header", "x-amz-meta-token: "+token, "--header", condition, "--data-binary", content)
		return status, etag
	}
	status, first := put("7", "If-None-Match: *", "first")
	if status != http.StatusOK || first == "" {
		t.Fatalf("create it: %d, ETag %q", status, first)
	}
	status, claimed := put("8", "If-Match: "+first, "first")
	if status != http.StatusOK || claimed != first {
		t.Fatalf("claim it: %d, ETag %s; want 200, and %s as before", status, claimed, first)
	}
	if status, _ := put("7", "If-Match: "+first, "late"); status != http.StatusOK {
		t.Errorf("the late write: %d; want 200, the trap", status)
	}
	if _, _, content := s.askS3(t, "trap"); content != "late" {
		t.Errorf("%q is there; want what was late", content)
	}
	if status, _ := put("9", "If-Match: "+first, "later"); status != http.StatusPreconditionFailed {
		t.Errorf("on the ETag of other content: %d; want 412", status)
	}
}

// TestRowsAreFreedByHand lets the writers of a new cluster, whose tokens are lower, in again.
func TestRowsAreFreedByHand(t *testing.T) {
	t.Parallel()
	s := start(t, (*servers).startPostgres)
	r := s.lockRow(t, "moved", guard{})
	r.mustRun(t, r.write, "48213", "old cluster")
	if out, accepted := r.run(t, r.write, "7", "new cluster"); accepted {
		t.Fatalf("a lower token is let in:\n%s", out)
	}
	s.sql(t, "moved", block(t, "reset.sql"))
	r.mustRun(t, r.write, "7", "new cluster")
	if got := r.value(t); got != "new cluster" {
		t.Errorf("%q is there; want what was written after the reset", got)
	}
}

// TestTheServiceRemembers has the page's HTTP service refuse an older token after it was started again, and ask for one.
func TestTheServiceRemembers(t *testing.T) {
	t.Parallel()
	s := start(t)
	r := s.service(t, "kept", guard{})
	r.mustRun(t, r.write, "10", "kept")
	url, _ := s.startOrders(t, "kept-service", block(t, "orders.py"))
	r.env = []string{"URL=" + url}
	if out, accepted := r.run(t, r.write, "9", "late"); accepted || !strings.Contains(out, "412") || !strings.Contains(out, "token 10 has been seen") {
		t.Errorf("an older token is accepted: %t; want false and 412\n%s", accepted, out)
	}
	without := replace(t, r.write, ` --header "Leader-Token: $TOKEN"`, "")
	if out, accepted := r.run(t, without, "", "late"); accepted || !strings.Contains(out, "428") {
		t.Errorf("without a token it is accepted: %t; want false and 428\n%s", accepted, out)
	}
	if got := r.value(t); got != "kept" {
		t.Errorf("%q is there; want what was kept", got)
	}
}
