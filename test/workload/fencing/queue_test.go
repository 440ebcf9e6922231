//go:build linux

package fencing

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lease-sidecar/lease-sidecar/test/harness"
)

// queueFiles are the statements and the worker of the page about the queue.
func queueFiles(t *testing.T) map[string]string {
	t.Helper()
	return map[string]string{
		"claim.sql": block(t, "claim.sql"), "take.sql": block(t, "take.sql"), "book.sql": block(t, "book.sql"),
		"unsent.sql": block(t, "unsent.sql"), "sent.sql": block(t, "sent.sql"), "worker.sh": block(t, "worker.sh"),
	}
}

// newQueue makes a database with the tables of both pages and three payments, a, b and c. It returns its clients' environment.
func (s *servers) newQueue(t *testing.T, name string, removed guard) []string {
	t.Helper()
	return s.newDatabase(t, name, block(t, "fence.sql"), removed.off(t, block(t, "queue.sql")), "INSERT INTO payment (body) VALUES ('a'), ('b'), ('c')")
}

// queueScene is a queue whose first worker is frozen in the middle of payment b, in a step of its own.
type queueScene struct {
	name string
	// schema, worker and note are what is removed from the page's code, in a control.
	schema, worker, note guard
	// at is where the first worker is frozen: while it decides on b, before it sends b, or in the transaction that notes b as sent.
	at step
	// want is what the provider is to have carried out in the end, and by whose decision.
	want []string
	// sees is what the first worker is refused with after it has woken; "": it is not refused.
	sees string
	// stands says that the new leader cannot go on before the first worker wakes.
	stands bool
}

// step is a step of the work on a payment.
type step int

const (
	deciding step = iota
	sending
	noting
)

// String is the step as $HOLD has it.
func (s step) String() string { return []string{"deciding", "sending", "noting"}[s] }

// What a worker sees that is refused.
const (
	notInTerm = `fenced: "payments" is not in the term of token`
	tooIdle   = "terminating connection due to idle-in-transaction timeout"
)

var queueScenes = []queueScene{
	{name: "q_book", want: []string{"a by old", "b by new", "c by new"}, sees: notInTerm},
	{name: "q_book_unguarded", schema: guard{code: " AND token = term"}, want: []string{"a by old", "b by old", "c by new"}},
	{name: "q_send", at: sending, want: []string{"a by old", "b by old", "c by new"}, sees: notInTerm},
	{
		name: "q_send_without_key", worker: guard{code: `--header "Idempotency-Key: ${unsent%%|*}" `}, at: sending,
		want: []string{"a by old", "b by old", "b by old", "c by new"}, sees: notInTerm,
	},
	{name: "q_note", at: noting, want: []string{"a by old", "b by old", "c by new"}, sees: tooIdle},
	{
		name: "q_note_unbounded", note: guard{code: "SET LOCAL idle_in_transaction_session_timeout = '5s';\n"}, at: noting,
		want: []string{"a by old", "b by old", "c by new"}, stands: true,
	},
}

// provider is the counterpart outside, as payment providers document theirs: an order whose key it knows it does not carry out again.
type provider struct {
	*httptest.Server

	mu   sync.Mutex
	keys map[string]string // the order of each key
	done []string
	asks int
}

func newProvider(t *testing.T) *provider {
	t.Helper()
	p := &provider{keys: map[string]string{}}
	p.Server = httptest.NewServer(p)
	t.Cleanup(p.Close)
	return p
}

// ServeHTTP carries an order out, unless it knows the key.
func (p *provider) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	order, err := io.ReadAll(io.LimitReader(r.Body, 1<<10))
	if err != nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.asks++
	key := r.Header.Get("Idempotency-Key")
	before, known := p.keys[key]
	switch {
	case key == "" || !known:
		p.keys[key] = string(order)
		p.done = append(p.done, string(order))
	case before != string(order):
		w.WriteHeader(http.StatusUnprocessableEntity)
	}
}

// state returns what was carried out, sorted, and the number of requests.
func (p *provider) state() (done []string, asks int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Sorted(slices.Values(p.done)), p.asks
}

// Programs of the workers, which pause at b if $HOLD is their step. decide is the page's "your program"; curl stands before the real one;
// heldNote is a part of sent.sql.
const (
	decide = `#!/bin/sh
payment=$(cat)
[ "$HOLD $payment" != "deciding b" ] || pause
echo "$payment by $WHO"
`
	heldCurl = `#!/bin/sh
order=$(cat)
case "$HOLD $order" in "sending b "*) pause ;; esac
printf %s "$order" | /usr/bin/curl "$@"
`
	heldNote = `\setenv ID :id
\! [ "$HOLD $ID" != "noting 2" ] || pause
UPDATE outbox`
)

// startWorker starts the page's worker beside a replica. It pauses at payment b in the step that hold names, if it is not "".
func (s *servers) startWorker(t *testing.T, scene queueScene, who string, beside *harness.Local, url, hold string) *writer {
	t.Helper()
	files := queueFiles(t)
	files["worker.sh"] = scene.worker.off(t, files["worker.sh"])
	files["sent.sql"] = replace(t, scene.note.off(t, files["sent.sql"]), "UPDATE outbox", heldNote)
	files["decide"], files["curl"], files["pause"] = decide, heldCurl, pause
	return s.launchWorker(t, scene.name, who, files, beside, url, "HOLD="+hold)
}

// launchWorker starts the worker of these files beside a replica, on the queue of that name.
func (s *servers) launchWorker(t *testing.T, queue, who string, files map[string]string, beside *harness.Local, url string, more ...string) *writer {
	t.Helper()
	r := s.newResource(t, queue+"_"+who, files)
	if err := os.Symlink(harness.ShippedBinary(t), filepath.Join(r.dir, "lease-sidecar")); err != nil {
		t.Fatal(err)
	}
	w := &writer{t: t, begun: "paused", goFile: filepath.Join(r.dir, "go")}
	r.env = append(s.database(queue), more...)
	w.Process = harness.Launch(t, queue+", "+who, filepath.Join(r.dir, "log"), "/bin/sh", []string{"-c", "cd " + r.dir + " && exec sh ./worker.sh"},
		append(os.Environ(), r.environment("SIGNAL_DIR="+beside.SignalDir(), "PROVIDER="+url, "WHO="+who,
			"GO="+w.goFile, "PATH="+r.dir+":"+os.Getenv("PATH"))...))
	t.Cleanup(func() { _ = syscall.Kill(-w.PID(), syscall.SIGKILL) }) // what its shell has started
	return w
}

// TestQueue has two workers, each beside its replica, work through a queue of payments. The old leader is frozen in the middle of one,
// its sidecar too; the new one works on; then the old one wakes and goes on where it was. Each payment is carried out once, by the
// decision of the leader that had it last. Without the token, or without the key, it is not so.
func TestQueue(t *testing.T) {
	t.Parallel()
	s := start(t, (*servers).startPostgres)
	replicas := make([]*harness.Local, 2)
	for i, name := range []string{"a", "b"} {
		replicas[i] = harness.NewLocal(t, s.root, name, "--lease-duration", leaseDuration)
		replicas[i].Start()
	}
	first, _ := awaitLeader(t, replicas...)
	second := replicas[0]
	if second == first {
		second = replicas[1]
	}

	scenes := make([]struct {
		queueScene
		provider   *provider
		older, new *writer
	}, len(queueScenes))
	for i, scene := range queueScenes {
		s.newQueue(t, scene.name, scene.schema)
		q := &scenes[i]
		q.queueScene, q.provider = scene, newProvider(t)
		hold := ""
		if scene.at == deciding {
			hold = scene.at.String() // the new leader decides on b, too
		}
		q.older = s.startWorker(t, scene, "old", first, q.provider.URL, scene.at.String())
		q.new = s.startWorker(t, scene, "new", second, q.provider.URL, hold)
	}
	for _, q := range scenes {
		q.older.awaitBegun()
		q.older.signal(syscall.SIGSTOP)
	}
	if err := first.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	awaitLeader(t, second)

	allSent := func(name string) bool {
		return s.sql(t, name, "SELECT count(*) FROM outbox WHERE sent IS NOT NULL") == "3"
	}
	for _, q := range scenes {
		switch {
		case q.at == deciding:
			q.new.awaitBegun() // it has taken b, and decides
		case !q.stands:
			harness.Eventually(t, patience, q.name+": the new leader has sent everything", func() bool { return allSent(q.name) })
		}
	}
	for _, q := range scenes {
		if q.stands {
			harness.Eventually(t, patience, q.name+": the new leader's claim waits", func() bool {
				return s.sql(t, q.name, "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'") == "1"
			})
			if allSent(q.name) {
				t.Errorf("%s: the new leader has sent everything beside the frozen one", q.name)
			}
		}
		q.older.goOn()
		q.older.signal(syscall.SIGCONT)
	}
	if err := first.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	mustShow(t, notInTerm)
	for _, q := range scenes {
		t.Run(q.name, func(t *testing.T) {
			harness.Eventually(t, patience, "the old leader has done what it was about to do", func() bool {
				_, asks := q.provider.state()
				return q.sees != "" && strings.Contains(q.older.Log(), q.sees) && (q.at == deciding || asks == 4) ||
					q.sees == "" && s.sql(t, q.name, "SELECT count(*) FROM outbox WHERE body = 'b by old'") == "1"
			})
			q.new.goOn()
			harness.Eventually(t, patience, "everything is sent", func() bool { return allSent(q.name) })
			if done, _ := q.provider.state(); !cmp.Equal(done, q.want) {
				t.Errorf("the provider has carried out %q, want %q\nthe old worker:\n%s\nthe new one:\n%s", done, q.want, q.older.Log(), q.new.Log())
			}
		})
	}
}

// TestThreadsOfATerm: two threads of one leader take different payments side by side. A newer term waits for what is open, shuts out
// the older one, and finds free again what that has taken.
func TestThreadsOfATerm(t *testing.T) {
	t.Parallel()
	s := start(t, (*servers).startPostgres)
	const name, wait = "threads", "lock timeout"
	files := queueFiles(t)
	locking := replace(t, files["take.sql"], " FOR UPDATE SKIP LOCKED", "")
	files["locking.sql"] = locking
	files["begin.sql"] = replace(t, replace(t, files["take.sql"], "COMMIT;\n", ""), "'5s'", "'10min'")
	files["pause"] = pause
	r := s.newResource(t, name, files)
	r.env = append(s.newQueue(t, name, guard{}), "PGOPTIONS=-c lock_timeout=2s")
	r.mustRun(t, psql+"claim.sql", "7", "")

	w := &writer{t: t, goFile: filepath.Join(r.dir, "go")}
	w.Process = harness.Launch(t, "the first thread", filepath.Join(r.dir, "log"), "/bin/sh",
		[]string{"-c", "cd " + r.dir + " && { cat begin.sql; ./pause; echo 'COMMIT;'; } | " + psql + "-"},
		append(os.Environ(), r.environment("TOKEN=7", "GO="+w.goFile)...))
	t.Cleanup(func() { _ = syscall.Kill(-w.PID(), syscall.SIGKILL) })
	harness.Eventually(t, patience, "the first thread has taken a payment", func() bool { return strings.Contains(w.Log(), "1|a") })

	for _, step := range []struct {
		what, script, token string
		accepted            bool
		sees                string
	}{
		{"without SKIP LOCKED the second thread waits for the first", psql + "locking.sql", "7", false, wait},
		{"the second thread takes another payment", psql + "take.sql", "7", true, "2|b"},
		{"a newer term waits for the first thread", psql + "claim.sql", "8", false, wait},
	} {
		if out, accepted := r.run(t, step.script, step.token, ""); accepted != step.accepted || !strings.Contains(out, step.sees) {
			t.Errorf("%s: accepted %t, want %t and %q\n%s", step.what, accepted, step.accepted, step.sees, out)
		}
	}
	w.goOn()
	if out, accepted := w.ended(); !accepted {
		t.Fatalf("the first thread fails:\n%s", out)
	}
	r.mustRun(t, psql+"claim.sql", "8", "")
	if out, accepted := r.run(t, psql+"take.sql", "7", ""); accepted || !strings.Contains(out, "fenced:") {
		t.Errorf("the older term takes a payment: %t, want false\n%s", accepted, out)
	}
	if out, accepted := r.run(t, psql+"take.sql", "8", ""); !accepted || !strings.Contains(out, "1|a") {
		t.Errorf("the newer term takes %q, want the first payment again", out)
	}
}
