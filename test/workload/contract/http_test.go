//go:build linux

package contract

import (
	"encoding/json"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lease-sidecar/lease-sidecar/internal/httpapi"
	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
	"github.com/lease-sidecar/lease-sidecar/pkg/elector"
	"github.com/lease-sidecar/lease-sidecar/pkg/leadership"
	"github.com/lease-sidecar/lease-sidecar/pkg/lease/memory"
	"github.com/lease-sidecar/lease-sidecar/test/harness"
)

func get(server, path string) request {
	return request{server: server, method: http.MethodGet, path: path}
}

func head(server, path string) request {
	return request{server: server, method: http.MethodHead, path: path}
}

func post(path string) request {
	return request{server: workload, method: http.MethodPost, path: path}
}

// with returns the request with a body of JSON.
func (q request) with(body string) request {
	q.body, q.header = body, http.Header{"Content-Type": {"application/json"}}
	return q
}

// TestEveryAnswerIsOnThePage asks real sidecars for every path, method and status that the OpenAPI page lists, and has each exchange
// be as the page says.
func TestEveryAnswerIsOnThePage(t *testing.T) {
	b := &book{t: t}
	aTerm(b)
	noOrders(b)
	nais(b)
	members(b)
	tooMany(b)
	notStarted(b)
	ending(b)
	stuck(b)

	page, err := load(filepath.Join(reference(t), "openapi.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	seen, listed := map[operation]bool{}, page.listed()
	for _, e := range b.all {
		if named := e.answer.Get("Lease-Sidecar-Pod") != ""; named != (e.server == workload) {
			t.Errorf("%v: Lease-Sidecar-Pod %q", e, e.answer.Get("Lease-Sidecar-Pod"))
		}
		seen[e.operation()] = true
		if err := page.judge(e); err != nil {
			t.Errorf("%v\n%v", e, err)
		}
		if got := e.answer.Get("Cache-Control"); got != "no-store" {
			t.Errorf("%v: Cache-Control %q", e, got)
		}
	}
	for o := range listed {
		if !seen[o] {
			t.Errorf("no sidecar has answered %v", o)
		}
	}
	for o := range seen {
		if !listed[o] {
			t.Errorf("the page does not list %v", o)
		}
	}
	t.Logf("%d exchanges of %d kinds", len(b.all), len(seen))
	t.Run("and wrong ones are found", func(t *testing.T) { wrong(t, page, b.all) })
}

// aTerm asks a sidecar from its start on through a term, a handover and its end.
func aTerm(b *book) {
	r := start(b.t, harness.LocalRoot(b.t), "web-a")
	b.await(r, 200, get(probes, "/startupz"))
	b.await(r, 200, get(probes, "/readyz"))
	b.await(r, 200, get(probes, "/livez"))
	b.want(r, 200, get(probes, "/metrics"))
	b.want(r, 200, get(workload, "/"))
	b.want(r, 404, get(workload, "/sse"))
	b.want(r, 200, get(workload, "/events"))
	for _, server := range []string{workload, probes} {
		b.want(r, 503, get(server, "/leader"))
		b.want(r, 503, head(server, "/leader"))
	}
	b.want(r, 409, post("/step-down"))
	b.want(r, 409, post("/drained"))
	refused(b, r)
	unlisted(b, r)

	harness.Eventually(b.t, patience, "it leads", func() bool { return r.Leadership().IsLeader })
	token := r.Leadership().Token
	for _, server := range []string{workload, probes} {
		b.want(r, 200, get(server, "/leader"))
		b.want(r, 200, head(server, "/leader"))
	}
	b.want(r, 200, get(workload, "/"))
	end := stay(b.t, r) // the workload works, so the handover waits
	b.want(r, 202, post("/step-down"))
	b.want(r, 409, post("/step-down"))
	b.want(r, 409, post("/drained").with(`{"token":"1`+token+`"}`))
	b.want(r, 409, post("/drained?token=1"+token))
	b.want(r, 400, post("/drained?token=1").with(`{"token":"2"}`))
	garbage := post("/drained").with("stopped")
	garbage.malformed = true
	b.want(r, 400, garbage)
	b.want(r, 202, post("/drained").with(`{"token":"`+token+`"}`))
	b.want(r, 202, post("/drained?token="+token))
	b.want(r, 202, post("/drained"))
	b.want(r, 503, get(workload, "/leader"))
	end()
	b.want(r, 202, post("/leave"))
	b.want(r, 202, post("/quitquitquit"))
	awaitExit(b.t, r)
}

// refused sends what no order may be.
func refused(b *book, r *harness.Local) {
	for _, q := range []request{post("/step-down"), post("/leave"), post("/drained"), post("/quitquitquit"), get(workload, "/running")} {
		foreign, large, half := q, q, q
		foreign.header = http.Header{"Host": {"web.example"}}
		large.body, large.malformed = strings.Repeat("x", 1025), true
		half.broken = true
		b.want(r, 403, foreign)
		b.want(r, 413, large)
		b.want(r, 400, half)
	}
}

// unlisted asks for paths and methods that the page does not list.
func unlisted(b *book, r *harness.Local) {
	for _, server := range []string{workload, probes} {
		for q, want := range map[string]int{
			"GET /no-such-path": 404, "POST /no-such-path": 404, "POST /leader": 405, "DELETE /leader": 405, "OPTIONS /leader": 405,
		} {
			method, path, _ := strings.Cut(q, " ")
			e := b.ask(r, request{server: server, method: method, path: path})
			var body map[string]string
			if err := json.Unmarshal([]byte(e.said), &body); err != nil || len(body) != 1 || body["error"] == "" {
				b.t.Errorf("%v: the body is no error in JSON", e)
			}
			if e.status != want || (e.answer.Get("Allow") == "GET, HEAD") != (want == 405) {
				b.t.Errorf("%v, Allow %q; want %d", e, e.answer.Get("Allow"), want)
			}
		}
	}
}

// noOrders asks a leader that may not be stepped down.
func noOrders(b *book) {
	r := start(b.t, harness.LocalRoot(b.t), "web-a", "--allow-step-down=false")
	b.want(r, 403, post("/step-down"))
	harness.Eventually(b.t, patience, "it leads", func() bool { return r.Leadership().IsLeader })
	b.want(r, 403, post("/quitquitquit"))
}

// nais asks for what --compat nais adds.
func nais(b *book) {
	r := start(b.t, harness.LocalRoot(b.t), "web-a", "--compat", "nais")
	b.want(r, 200, get(workload, "/"))
	fill(b, r, 1000, get(workload, "/sse"))
}

// members asks for what --membership adds.
func members(b *book) {
	r := start(b.t, harness.LocalRoot(b.t), "web-a", "--membership")
	harness.Eventually(b.t, patience, "it knows itself", func() bool {
		return strings.Contains(b.ask(r, get(workload, "/members")).said, `"pod":"web-a"`)
	})
	b.want(r, 200, get(workload, "/members"))
	b.want(r, 200, get(workload, "/events?members=true"))
}

// tooMany opens as many answers that stay open as a sidecar gives.
func tooMany(b *book) {
	r := start(b.t, harness.LocalRoot(b.t), "web-a")
	fill(b, r, 1000, get(workload, "/events"))
	fill(b, r, 16, get(workload, "/running"))
}

// fill opens answers that stay open until the test ends, until there are too many: those that ended just now count for a moment.
func fill(b *book, r *harness.Local, limit int, q request) {
	b.want(r, 200, q)
	for i := range 2 * limit {
		answer := q.send(b.t, dial(b.t, r, q.server))
		switch {
		case answer.status == http.StatusOK:
			continue
		case i < limit-1 || i > limit:
			b.t.Errorf("%s: %d answers are open at once, want %d", q.path, i, limit)
		}
		b.all = append(b.all, answer)
		return
	}
	b.t.Fatalf("%s: %d answers are open at once, want %d", q.path, 2*limit, limit)
}

// notStarted asks a sidecar that cannot write its document, and whose store is away.
func notStarted(b *book) {
	r := harness.NewLocal(b.t, harness.LocalRoot(b.t), "web-a", "--lease-duration", leaseDuration)
	if err := os.MkdirAll(filepath.Join(r.SignalDir(), leadership.StateFile, "in the way"), 0o700); err != nil {
		b.t.Fatal(err)
	}
	store := filepath.Join(r.Dir, "store")
	if err := os.Remove(store); err != nil {
		b.t.Fatal(err)
	}
	r.Start()
	r.AwaitLog("for=probe-address")
	b.await(r, 503, get(probes, "/readyz"))
	b.want(r, 503, get(probes, "/startupz"))
}

// ending asks a sidecar whose election is over, and which waits for a webhook that does not answer.
func ending(b *book) {
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.t.Fatal(err)
	}
	defer silent.Close()
	r := start(b.t, harness.LocalRoot(b.t), "web-a", "--webhook-url", "http://"+silent.Addr().String()+"/")
	b.await(r, 200, get(probes, "/readyz"))
	b.want(r, 202, post("/quitquitquit"))
	b.await(r, 500, post("/step-down"))
}

// stuck asks the probes of a real election whose loop does not turn: it was never begun.
func stuck(b *book) {
	clock := bootclock.System{}
	backend := memory.New()
	config := elector.Default()
	config.Lease, config.Namespace, config.Identity = "acme-1", "default", "web-a_1"
	e, err := elector.New(config, elector.Deps{Store: backend.Store("default", "acme-1"), Clock: clock})
	if err != nil {
		b.t.Fatal(err)
	}
	server := httptest.NewServer(httpapi.NewProbeHandler(httpapi.ProbeConfig{
		Election: e, Clock: clock, Started: func() bool { return true }, Metrics: http.NotFoundHandler(),
	}))
	defer server.Close()
	conn, err := net.Dial("tcp", server.Listener.Addr().String())
	if err != nil {
		b.t.Fatal(err)
	}
	defer conn.Close()
	answer := get(probes, "/livez").send(b.t, conn)
	if answer.status != 503 {
		b.t.Fatalf("/livez: %d %s, want 503", answer.status, answer.said)
	}
	b.all = append(b.all, answer)
}

func awaitExit(t *testing.T, r *harness.Local) {
	t.Helper()
	select {
	case <-r.Exited():
	case <-time.After(patience):
		t.Fatalf("%s still runs", r.Name)
	}
}

// wrong spoils the exchanges, which must be found.
func wrong(t *testing.T, p *page, all []exchange) {
	replace := func(old, with string) func(*exchange) {
		return func(e *exchange) { e.said = strings.Replace(e.said, old, with, 1) }
	}
	for name, c := range map[string]struct {
		path  string
		spoil func(*exchange)
	}{
		"a status that is not listed":   {"/leader", func(e *exchange) { e.status = 418 }},
		"a path that is not listed":     {"/leader", func(e *exchange) { e.path = "/leaders" }},
		"a method that is not listed":   {"/leader", func(e *exchange) { e.method = http.MethodPut }},
		"another server's path":         {"/", func(e *exchange) { e.server = probes }},
		"no type":                       {"/leader", func(e *exchange) { e.answer.Del("Content-Type") }},
		"another type":                  {"/leader", func(e *exchange) { e.answer.Set("Content-Type", "text/html") }},
		"a pod that is no pod's name":   {"/leader", func(e *exchange) { e.answer.Set("Lease-Sidecar-Pod", "x") }},
		"a name and more":               {"/", replace("{", `{"more":1,`)},
		"half a document":               {"/leader", func(e *exchange) { e.said = e.said[:20] }},
		"a document without its token":  {"/leader", replace(`"token"`, `"was"`)},
		"a leader that does not lead":   {"/leader", replace(`"isLeader":false`, `"isLeader":true`)},
		"a standby with a token":        {"/leader", replace(`"token":""`, `"token":"7"`)},
		"the deadline as a JSON number": {"/leader", replace(`"validUntilBoottimeNs":null`, `"validUntilBoottimeNs":1`)},
		"a probe that is more than ok":  {"/livez", replace("ok", "okay")},
	} {
		i := slices.IndexFunc(all, func(e exchange) bool {
			standby := c.path == "/leader" && e.status == http.StatusServiceUnavailable
			return e.method == http.MethodGet && e.path == c.path && (standby || c.path != "/leader" && e.status == http.StatusOK)
		})
		if i < 0 {
			t.Fatalf("no exchange with %s", c.path)
		}
		e := all[i]
		e.answer = e.answer.Clone()
		c.spoil(&e)
		if reflect.DeepEqual(e, all[i]) {
			t.Errorf("%s: nothing was spoilt of %v", name, e)
		} else if p.judge(e) == nil {
			t.Errorf("%s passes: %v", name, e)
		}
	}
}
