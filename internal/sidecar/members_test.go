//go:build linux

package sidecar

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lease-sidecar/lease-sidecar/internal/guard/guardtest"
	"github.com/lease-sidecar/lease-sidecar/internal/membership"
	"github.com/lease-sidecar/lease-sidecar/pkg/leadership"
	"github.com/lease-sidecar/lease-sidecar/pkg/naming"
)

// listens finds the addresses in the log, in the order of listening.
var listens = regexp.MustCompile(`reason=Listening for=(\S+) addresses="?\[(127\.0\.0\.1:\d+)`)

// addressOf returns the HTTP or the probe address of a sidecar by its log.
func addressOf(t *testing.T, log *journal, of string) (address string) {
	t.Helper()
	guardtest.Within(t, "it listens", func() bool {
		for _, m := range listens.FindAllStringSubmatch(log.String(), -1) {
			if m[1] == of {
				address = m[2]
			}
		}
		return address != ""
	})
	return address
}

func ask(t *testing.T, url string) (status int, body string) {
	t.Helper()
	response, err := http.Get(url) //nolint:noctx // the test's own server
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	b, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(b)
}

// fileOfMembers reads members.json; the zero document where there is none.
func fileOfMembers(t *testing.T, dir string) (d membership.Document, at time.Time) {
	t.Helper()
	path := filepath.Join(dir, leadership.MembersFile)
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return d, at
	}
	info, statErr := os.Stat(path)
	if err = errors.Join(err, statErr); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, &d); err != nil {
		t.Fatal(err)
	}
	return d, info.ModTime()
}

func podsOf(d membership.Document) (pods []string) {
	for _, m := range d.Members {
		pods = append(pods, m.Pod)
	}
	return pods
}

// TestMembership: two sidecars on a directory know one another: over HTTP, in the file, as events, in the metrics. One that ends is gone
// at once, and a wish moves the lead.
func TestMembership(t *testing.T) {
	store := filepath.Join(t.TempDir(), "store")
	type one struct {
		cfg  Config
		log  *journal
		stop context.CancelFunc
	}
	var running sync.WaitGroup
	defer running.Wait()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	start := func(pod string) one {
		cfg, log := testConfig(t)
		cfg.Store.Dir, cfg.Replica.Name = store, pod
		cfg.Membership = &membership.Config{Revision: "a", Duration: 4 * time.Second, RenewInterval: time.Second}
		s, err := New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(ctx)
		running.Go(func() {
			if err := s.Run(ctx, nil); err != nil {
				t.Errorf("%s ended with %v", pod, err)
			}
		})
		return one{cfg, log, stop}
	}
	a := start("web-a")
	guardtest.Within(t, "web-a leads", func() bool {
		l, err := leadership.Read(a.cfg.SignalDir)
		return err == nil && l.IsLeader
	})
	b := start("web-b")
	both := []string{"web-a", "web-b"}
	guardtest.Within(t, "each knows both, and who leads", func() bool {
		for _, one := range []one{a, b} {
			d, until := fileOfMembers(t, one.cfg.SignalDir)
			if !slices.Equal(podsOf(d), both) || d.Leader != "web-a" || d.NewestRevision != "a" || !until.After(time.Now()) {
				return false
			}
		}
		return true
	})
	status, body := ask(t, "http://"+addressOf(t, b.log, "http-address")+"/members")
	if status != http.StatusOK || !strings.Contains(body, `"successor":"web-a"`) || !strings.Contains(body, `"counts":{"live":2,`) {
		t.Errorf("GET /members: %d %s", status, body)
	}
	_, metrics := ask(t, "http://"+addressOf(t, b.log, "probe-address")+"/metrics")
	for _, want := range []string{`lease_sidecar_members{state="live"} 2`, `lease_sidecar_member_requests_total{verb="create"} 1`} {
		if !strings.Contains(metrics, want) {
			t.Errorf("the metrics lack %s:\n%s", want, metrics)
		}
	}

	events, err := http.Get("http://" + addressOf(t, b.log, "http-address") + "/events?members=true") //nolint:noctx // ends with the test's server
	if err != nil {
		t.Fatal(err)
	}
	defer events.Body.Close()
	lines := bufio.NewScanner(events.Body)
	next := func() (d membership.Document) {
		for lines.Scan() {
			if lines.Text() == "event: members" && lines.Scan() {
				if err := json.Unmarshal([]byte(strings.TrimPrefix(lines.Text(), "data: ")), &d); err != nil {
					t.Error(err)
				}
				return d
			}
		}
		t.Errorf("the stream ended: %v", lines.Err())
		return d
	}
	if got := podsOf(next()); !slices.Equal(got, both) {
		t.Errorf("the first event names %v, want %v", got, both)
	}

	wish := filepath.Join(store, "default.web.json")
	text, err := os.ReadFile(wish)
	if err != nil {
		t.Fatal(err)
	}
	edited := strings.Replace(string(text), `"annotations": {`, `"annotations": {"`+naming.AnnotationPreferredHolder+`": "web-b",`, 1)
	if err := os.WriteFile(wish, []byte(edited), 0o600); err != nil {
		t.Fatal(err)
	}
	guardtest.Within(t, "web-b leads by wish", func() bool {
		l, err := leadership.Read(b.cfg.SignalDir)
		return err == nil && l.IsLeader
	})

	a.stop()
	for d := next(); !slices.Equal(podsOf(d), []string{"web-b"}); d = next() {
		if !slices.Equal(podsOf(d), both) {
			t.Fatalf("an event names %v", podsOf(d))
		}
	}
	if d, _ := fileOfMembers(t, a.cfg.SignalDir); d.Lease != "" {
		t.Errorf("the file of one that has ended says %s", d.JSON())
	}
}

// TestMembershipOff: without membership there is no path, no file and no series, and one that is left over is removed.
func TestMembershipOff(t *testing.T) {
	cfg, log := testConfig(t)
	left := filepath.Join(cfg.SignalDir, leadership.MembersFile)
	if err := os.WriteFile(left, []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if s.members != nil {
		t.Error("it has opened a store of members")
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx, nil) }()
	defer func() { cancel(); <-ended }()
	if status, _ := ask(t, "http://"+addressOf(t, log, "http-address")+"/members"); status != http.StatusNotFound {
		t.Errorf("GET /members: %d, want %d", status, http.StatusNotFound)
	}
	if _, metrics := ask(t, "http://"+addressOf(t, log, "probe-address")+"/metrics"); strings.Contains(metrics, "lease_sidecar_member") {
		t.Errorf("the metrics name members:\n%s", metrics)
	}
	guardtest.Within(t, "it leads", func() bool {
		l, err := leadership.Read(cfg.SignalDir)
		return err == nil && l.IsLeader
	})
	if _, err := os.Stat(left); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the file of the members is still there: %v", err)
	}
	names, err := filepath.Glob(filepath.Join(cfg.Store.Dir, "*web-*"))
	if err != nil || len(names) != 0 {
		t.Errorf("the store has %v, %v", names, err)
	}
}
