// A worker that works only while its replica leads: the standard library, and this module's small reader of the files.
//
//	SIGNAL_DIR=/var/run/lease-sidecar worker     asks the files
//	worker                                       asks over HTTP, at SIDECAR_URL
//
// It fails closed: whatever is missing, half, stale, of another boot or refused means "not leader".
package main

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
	"github.com/lease-sidecar/lease-sidecar/pkg/leadership"
)

// worker does its work piece by piece, and looks before each whether it may.
type worker struct {
	dir, url string
	interval time.Duration // between looks while standing by
	http     http.Client
	lock     *os.File      // the run lock, while it works; nil while it does not
	news     chan struct{} // ends the pause between looks
}

func main() {
	w := worker{
		dir: os.Getenv("SIGNAL_DIR"), url: cmp.Or(os.Getenv("SIDECAR_URL"), "http://127.0.0.1:4040"),
		news: make(chan struct{}, 1),
		http: http.Client{Transport: &http.Transport{}}, // which takes no proxy from the environment
	}
	var err error
	if w.interval, err = time.ParseDuration(cmp.Or(os.Getenv("INTERVAL"), "1") + "s"); err != nil {
		fmt.Fprintln(os.Stderr, "INTERVAL: want seconds:", err)
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	go w.follow(ctx)
	w.run(ctx)
}

func (w *worker) run(ctx context.Context) {
	last := "unknown"
	for unit := 1; ctx.Err() == nil; {
		token := w.term(ctx)
		if token != last {
			w.change(ctx, token)
			last = token
			continue // and look again before any work: the term may have ended during the wait for the lock
		}
		if token != "" {
			work(token, unit)
			unit++
			continue
		}
		select {
		case <-w.news:
		case <-time.After(w.interval):
		case <-ctx.Done():
		}
	}
}

// change begins or ends a term.
func (w *worker) change(ctx context.Context, token string) {
	if token != "" {
		w.hold()
		fmt.Println("leading token=" + token)
		return
	}
	if w.lock != nil {
		_ = w.lock.Close() // and releases the lock
		w.lock = nil
	}
	fmt.Println("standing by")
	// So that another replica may start at once. A dead sidecar's term expires by itself.
	_, _ = w.ask(ctx, http.MethodPost, "/drained")
}

// hold takes the run lock, by which the sidecar sees this worker at work, and its end, however it ends. Without it the
// sidecar relies on POST /drained.
func (w *worker) hold() {
	if w.dir == "" || w.lock != nil {
		return
	}
	lock, err := os.Open(filepath.Join(w.dir, "run.lock"))
	if err != nil {
		return
	}
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_SH); err != nil {
		_ = lock.Close()
		return
	}
	w.lock = lock
}

// term returns the token of the term that runs now, or "".
func (w *worker) term(ctx context.Context) string {
	l, err := w.leadership(ctx)
	if err != nil || !l.IsLeader {
		return ""
	}
	return l.Token
}

// leadership returns what the sidecar says, judged by the boot clock.
func (w *worker) leadership(ctx context.Context) (l leadership.Leadership, err error) {
	if w.dir != "" {
		return leadership.Read(w.dir)
	}
	body, err := w.ask(ctx, http.MethodGet, "/leader")
	if err != nil {
		return l, err
	}
	if err := json.Unmarshal(body, &l); err != nil {
		return leadership.Leadership{}, err
	}
	boot, err := bootclock.ID()
	if err != nil {
		return leadership.Leadership{}, err
	}
	if l.BootID != boot {
		return leadership.Leadership{}, fmt.Errorf("the document is of another boot, %q", l.BootID)
	}
	return l.At(bootclock.System{}.Now()), nil
}

// ask sends one request to the sidecar and returns the body of a good answer.
func (w *worker) ask(ctx context.Context, method, path string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, method, w.url+path, nil)
	if err != nil {
		return nil, err
	}
	answer, err := w.http.Do(request)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	if answer.StatusCode/100 != 2 {
		return nil, fmt.Errorf("the sidecar answers %s", answer.Status)
	}
	return io.ReadAll(io.LimitReader(answer.Body, leadership.DocumentMax))
}

// follow asks for a look at each event, until ctx ends. Events only make it faster: without them the loop looks by itself.
func (w *worker) follow(ctx context.Context) {
	for ctx.Err() == nil {
		w.stream(ctx)
		select {
		case <-time.After(time.Second):
		case <-ctx.Done():
		}
	}
}

func (w *worker) stream(ctx context.Context) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, w.url+"/events", nil)
	if err != nil {
		return
	}
	answer, err := w.http.Do(request)
	if err != nil {
		return
	}
	defer answer.Body.Close()
	for lines := bufio.NewScanner(answer.Body); lines.Scan(); {
		if !strings.HasPrefix(lines.Text(), "data:") {
			continue
		}
		select {
		case w.news <- struct{}{}:
		default: // a look has been asked for already
		}
	}
}

// work is one short piece: it ends well within the gap between renew deadline and lease duration. Whatever it writes
// to should refuse a token lower than one it has seen.
func work(token string, unit int) {
	fmt.Printf("working token=%s unit=%d\n", token, unit)
	time.Sleep(200 * time.Millisecond)
}
