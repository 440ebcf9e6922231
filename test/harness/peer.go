//go:build linux

package harness

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
)

// PeerOptions say how a candidate of client-go's elector runs.
type PeerOptions struct {
	// Version is client-go's: "v0.37", which "" means, or "v0.36".
	Version string
	// FreshIdentity gives each start an identity of its own, NAME_NUMBER, as programs do that add a random UUID to their host's
	// name. Without it a start goes on at once with a term that the one before has left.
	FreshIdentity bool
	// ReleaseOnCancel lets it blank the holder as it ends.
	ReleaseOnCancel bool
	// LeaseDuration, RenewDeadline and RetryPeriod are client-go's own timings; they must be given.
	LeaseDuration, RenewDeadline, RetryPeriod time.Duration
	// Kubeconfig is how it reaches the API server; "" for straight, with the election's account.
	Kubeconfig string
	// Launcher returns the program that starts a program, such as [Cgroup.Launcher]; nil: it starts by itself.
	Launcher func(binary string) string
}

// Peer is a candidate of client-go's elector as a process of its own. As programs do that use it, it exits with status
// 1 once it has lost the lead; a test may start it again.
type Peer struct {
	*Process

	binary   string
	args     []string
	identity func(start int) string
	dir      string
	run      atomic.Pointer[peerRun]

	mu   sync.Mutex
	runs []*peerRun // all starts, in order
}

// peerRun is one start of a peer, for the witness to look at while the test makes the next.
type peerRun struct {
	process *Process
	journal string
	frozen  atomic.Bool // has been
}

// StartPeer starts a candidate of that name.
func (e *Election) StartPeer(t testing.TB, name string, o PeerOptions) *Peer {
	t.Helper()
	if o.Version == "" {
		o.Version = "v0.37"
	}
	if o.Kubeconfig == "" {
		o.Kubeconfig = e.Access.Kubeconfig(t, e.Cluster.Host())
	}
	p := &Peer{binary: PeerBinary(t, o.Version), dir: t.TempDir(), args: []string{
		"--kubeconfig", o.Kubeconfig, "--namespace", e.Namespace, "--lease", e.Lease,
		"--lease-duration", o.LeaseDuration.String(), "--renew-deadline", o.RenewDeadline.String(),
		"--retry-period", o.RetryPeriod.String(), fmt.Sprintf("--release-on-cancel=%v", o.ReleaseOnCancel),
	}}
	p.identity = func(start int) string {
		if !o.FreshIdentity {
			return name
		}
		return fmt.Sprintf("%s_%d", name, start)
	}
	if o.Launcher != nil {
		p.binary = o.Launcher(p.binary)
	}
	p.Process = &Process{Name: name, LogPath: filepath.Join(p.dir, "log")}
	t.Cleanup(func() { p.end(t, 10) })
	p.Start(t)
	return p
}

// Start starts the process again, after it has ended.
func (p *Peer) Start(t testing.TB) {
	t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	start := len(p.runs) + 1
	run := &peerRun{journal: filepath.Join(p.dir, fmt.Sprintf("journal-%d", start))}
	args := append(slices.Clip(p.args), "--identity", p.identity(start), "--journal", run.journal)
	var err error
	if run.process, err = launch(p.Name, p.LogPath, nil, p.binary, args, nil); err != nil {
		t.Fatal(err)
	}
	p.Process = run.process
	p.runs = append(p.runs, run)
	p.run.Store(run)
}

// Terms returns when its work went on, by the journals of all its starts: a process that was killed worked to its end, and one
// that works still does so until now.
func (p *Peer) Terms(t testing.TB) []Term {
	t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	var terms []Term
	for _, run := range p.runs {
		if term, worked := run.term(t, p.Name); worked {
			terms = append(terms, term)
		}
	}
	return terms
}

// term returns when the work of one start went on, if it ever began.
func (r *peerRun) term(t testing.TB, name string) (term Term, worked bool) {
	t.Helper()
	end := bootclock.System{}.Now()
	if !r.process.Alive() {
		end = r.process.ended
	}
	text, err := os.ReadFile(r.journal)
	if errors.Is(err, fs.ErrNotExist) {
		return Term{}, false // it ended before it could make one
	}
	if err != nil {
		t.Fatal(err)
	}
	term = Term{Replica: name, Channel: "journal", To: end}
	for line := range strings.Lines(string(text)) {
		var at bootclock.Instant
		var what string
		if _, err := fmt.Sscan(line, &at, &what); err != nil {
			t.Fatalf("read %s's journal: %q: %v", name, line, err)
		}
		switch what {
		case "started":
			term.From, worked = at, true
		case "stopped":
			term.To = at
		}
	}
	return term, worked
}

// Leads reports whether its work was asked to start and not to stop, by its journal. A dead process leads nothing. The
// token is "": client-go has none.
func (p *Peer) Leads() (bool, string) { return p.run.Load().leads(), "" }

func (r *peerRun) leads() bool {
	b, err := os.ReadFile(r.journal)
	return err == nil && strings.HasSuffix(string(b), " started\n") && r.process.Alive()
}

// StartedAt returns when its work was last asked to start, on the boot clock, where it leads.
func (p *Peer) StartedAt() (at bootclock.Instant, leads bool) {
	run := p.run.Load()
	if !run.leads() {
		return 0, false
	}
	b, err := os.ReadFile(run.journal)
	lines := strings.Split(strings.TrimSpace(string(b)), "\n")
	if err != nil {
		return 0, false
	}
	_, err = fmt.Sscan(lines[len(lines)-1], &at)
	return at, err == nil
}

// Freeze stops the process. Once it wakes, Leads is what it believes.
func (p *Peer) Freeze(t testing.TB) {
	t.Helper()
	p.run.Load().frozen.Store(true)
	p.Process.Freeze(t)
}

// AddPeer watches a candidate of client-go's. All of theirs have one name, as whether they overlap among themselves is
// not ours to judge. Nor is what one believes after it was frozen, until its next start: client-go's elector looks at
// no clock before its work goes on, and no grace of others can prevent that.
func (w *Witness) AddPeer(p *Peer) {
	w.AddChannel("client-go", p.Name, fileLook, func() (bool, string) {
		run := p.run.Load()
		return run.leads() && !run.frozen.Load(), ""
	})
}

// PeerBinary returns the program of test/peer, built against that version of client-go ("v0.37", "v0.36").
func PeerBinary(t testing.TB, version string) string {
	t.Helper()
	binary, known := peerBinaries[version]
	if !known {
		t.Fatalf("no peer of client-go %q is known", version)
	}
	return must(t)(binary())
}

// peerProgram is the program of test/peer by one of its module files.
func peerProgram(version, modfile string) program {
	return program{name: "peer-" + version, from: filepath.Join("test", "peer"), env: static, args: []string{"-modfile", modfile, "-ldflags", "-s -w"}}
}
