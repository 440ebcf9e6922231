//go:build linux

package fencing

import (
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lease-sidecar/lease-sidecar/test/harness"
)

// awkward are orders whose characters mean something to a shell, to psql or to curl.
var awkward = []string{
	"@/etc/hostname", "--data x", `it's "5 €" | a\b :'id' :id $(id) %s`, "two\n lines", "last",
}

// choosy is a "your program" that orders what the payment says. It fails on some payments, and takes the worker with it on another.
const choosy = `#!/bin/sh
payment=$(cat)
case $payment in
fatal) kill -KILL 0 ;;
undecidable) exit 1 ;;
empty) ;;
*) printf %s "$payment" ;;
esac
`

// TestAwkwardPayments has the worker of the page meet payments that it cannot decide, at the head of the queue. They do not hold up the
// others, whose orders reach the provider as they are. After the last try such a payment is set aside. SIGTERM ends the worker.
func TestAwkwardPayments(t *testing.T) {
	t.Parallel()
	s := start(t, (*servers).startPostgres)
	replica := harness.NewLocal(t, s.root, "a", "--lease-duration", leaseDuration)
	replica.Start()
	awaitLeader(t, replica)
	const queue = "awkward"
	s.newDatabase(t, queue, block(t, "fence.sql"), block(t, "queue.sql"))
	for _, body := range slices.Concat([]string{"fatal", "undecidable", "empty"}, awkward) {
		s.sql(t, queue, "INSERT INTO payment (body) VALUES ($b$"+body+"$b$)")
	}
	bank := newProvider(t)
	files := queueFiles(t)
	files["decide"] = choosy
	for _, who := range []string{"first", "second"} { // the second try follows at once
		s.launchWorker(t, queue, who, files, replica, bank.URL).ended()
	}
	w := s.launchWorker(t, queue, "third", files, replica, bank.URL)
	harness.Eventually(t, patience, "the other orders are sent, and noted", func() bool {
		return s.sql(t, queue, "SELECT count(*) FROM outbox WHERE sent IS NOT NULL") == "5" || !w.Alive()
	})
	if got, _ := bank.state(); !cmp.Equal(got, slices.Sorted(slices.Values(awkward))) {
		t.Errorf("the provider has carried out %q, want %q\nthe worker:\n%s", got, awkward, w.Log())
	}
	const open = "SELECT string_agg(body || ' ' || state || ' ' || (due > now()), ', ' ORDER BY id) FROM payment WHERE state <> 'booked'"
	if got, want := s.sql(t, queue, open), "fatal waiting true, undecidable waiting true, empty waiting true"; got != want {
		t.Errorf("%s; want %s", got, want)
	}
	s.sql(t, queue, "UPDATE payment SET tries = 9, due = now() WHERE body = 'undecidable'")
	harness.Eventually(t, patience, "the payment that cannot be decided is set aside", func() bool {
		return strings.Contains(s.sql(t, queue, open), "undecidable failed")
	})
	if seen := s.sql(t, queue, block(t, "watch.sql")); !strings.HasPrefix(seen, "1|00:00:") || !strings.HasSuffix(seen, "|0") {
		t.Errorf("failed, late and unsent are %q; want 1, less than a minute, and 0", seen)
	}
	if err := w.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	w.AwaitExit(t, patience, 0)
}
