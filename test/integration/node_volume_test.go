//go:build linux

package integration

import (
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/lease-sidecar/lease-sidecar/pkg/leadership"
	"github.com/lease-sidecar/lease-sidecar/test/harness"
)

// TestVolumeFails is fault 14: the leader's signal directory takes no change any more, in several ways. Its files say
// "leader" no longer than they said before; leadership itself goes on, and HTTP shows it; where the room comes back, so do
// the files; and a sidecar that ends meanwhile keeps the Lease until no file can be believed.
func TestVolumeFails(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name   string
		fail   func(t *testing.T, v *harness.Volume)
		fix    func(v *harness.Volume) // nil where only a restart helps
		log    string                  // what an operator reads
		sealed bool                    // the leader file cannot be removed: it stays, and is stale
	}{
		{
			name: "full", log: "the volume is full",
			fail: func(_ *testing.T, v *harness.Volume) { v.Fill() },
			fix:  (*harness.Volume).Free,
		},
		{
			name: "read-only", log: "let user", sealed: true,
			fail: func(_ *testing.T, v *harness.Volume) { v.Lock() },
			fix:  (*harness.Volume).Unlock,
		},
		{
			name: "directory removed", log: "the directory is gone",
			fail: func(t *testing.T, v *harness.Volume) {
				if err := os.RemoveAll(filepath.Join(v.Dir, "signals")); err != nil {
					t.Fatal(err)
				}
			},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			e := harness.NewElection(t, harness.Shared(t), 5*time.Second)
			e.Ship(t)
			volume := harness.NewVolume(t)
			leader := prepareOn(t, e, volume, tc.fix == nil)
			heir := startWithHeir(t, e, leader)
			status, document := leader.Leader()
			if status != http.StatusOK {
				t.Fatalf("GET /leader: status %d, want %d", status, http.StatusOK)
			}
			leads := func() bool {
				status, l := leader.Leader()
				return status == http.StatusOK && l.Token == document.Token
			}

			tc.fail(t, volume)
			checkFilesGoSilent(t, leader, leads)
			harness.Throughout(t, e.Duration, "it leads on, and says so over HTTP", leads)
			harness.Eventually(t, slack, "the log says that it works again", func() bool { return strings.Contains(leader.Log(), tc.log) })
			if tc.fix != nil {
				tc.fix(volume)
				harness.Eventually(t, slack, "the files say so again, of the same term", func() bool { return filesSay(leader, document.Token) })
				awaitRenewal(t, leader)
				tc.fail(t, volume)
			}

			deadline := leader.State().ValidUntil
			strike(t, syscall.SIGTERM, leader.PID())
			harness.AwaitLeader(t, 2*e.Duration+slack, heir)
			if tc.sealed && sent(e, heir).Before(deadline) {
				t.Errorf("the heir took the Lease %v before the end of what a file says that could not be withdrawn",
					deadline.Sub(sent(e, heir)))
			}
			leader.AwaitExit(t, slack, 0)
			if leader.HasLeaderFile() != tc.sealed {
				t.Errorf("the leader file is there: %v, want %v", leader.HasLeaderFile(), tc.sealed)
			}
			if tc.fix != nil {
				tc.fix(volume)
				leader.Start(t, e)
				harness.Eventually(t, slack, "started again, it puts the files right", func() bool {
					l := leader.State()
					return !l.IsLeader && l.Leader == heir.Pod && !leader.HasLeaderFile()
				})
			}
		})
	}
}

// prepareOn makes replica web-0, whose signal directory is on the volume: the volume itself, or one below it.
func prepareOn(t *testing.T, e *harness.Election, v *harness.Volume, below bool) *harness.Sidecar {
	t.Helper()
	s := e.Prepare(t, "web-0")
	was := s.Dir
	if s.Dir = v.Dir; below {
		s.Dir = filepath.Join(v.Dir, "signals")
		if err := os.Mkdir(s.Dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for i, arg := range s.Args {
		if arg == was {
			s.Args[i] = s.Dir
		}
	}
	return s
}

// checkFilesGoSilent waits until neither file says "leader" any more: at the validUntil that they said last, at the latest.
func checkFilesGoSilent(t *testing.T, s *harness.Sidecar, leads func() bool) {
	t.Helper()
	harness.Eventually(t, slack, "the files fall silent", func() bool {
		until, look := s.State().ValidUntil, now()
		byState, _ := s.Leads()
		byFile, _ := s.LeadsByFile()
		// The file's time is on the wall clock, which may be slewed against the boot clock: hence some room.
		if late := look.Sub(until); !until.IsZero() && (byState && late >= 0 || byFile && late > 50*time.Millisecond) {
			t.Fatalf("a file says leader %v past its validUntil (state.json %v, leader %v)", late, byState, byFile)
		}
		if !leads() {
			t.Fatal("it leads no more, though only its files fail")
		}
		return !byState && !byFile
	})
}

// filesSay reports whether both files say that the replica leads with that token.
func filesSay(s *harness.Sidecar, token string) bool {
	byState, ofState := s.Leads()
	byFile, ofFile := s.LeadsByFile()
	return byState && byFile && ofState == token && ofFile == token
}

// TestSlowReaders reads the files a byte at a time, while terms are renewed and move: whatever is read is one whole
// document, the one that stood when it was opened.
func TestSlowReaders(t *testing.T) {
	t.Parallel()
	e := harness.NewElection(t, harness.Shared(t), 5*time.Second)
	e.Ship(t)
	e.Flags = []string{"--drain-timeout", "100ms"}
	replicas := e.StartAll(t, 2)
	watch(t, replicas...)
	done := make(chan struct{})
	var readers sync.WaitGroup
	var mu sync.Mutex
	read := map[string]int{}
	for _, s := range replicas {
		for range 4 {
			readers.Go(func() {
				for {
					select {
					case <-done:
						return
					default:
					}
					for _, name := range []string{leadership.StateFile, leadership.LeaderFile} {
						content, err := readSlowly(filepath.Join(s.Dir, name))
						if errors.Is(err, os.ErrNotExist) {
							continue
						}
						if err == nil {
							err = whole(name, content)
						}
						if err != nil {
							t.Errorf("%s of %s, read slowly: %v: %q", name, s.Pod, err, content)
							return
						}
						mu.Lock()
						read[name]++
						mu.Unlock()
					}
				}
			})
		}
	}
	leader := harness.AwaitLeader(t, e.Duration+slack, replicas...)
	for range 2 {
		next := harness.Others(replicas, leader)[0]
		awaitRenewal(t, leader)
		leader.Post("/step-down")
		harness.AwaitLeader(t, 2*e.Duration+slack, next)
		leader = next
	}
	close(done)
	readers.Wait()
	for name, least := range map[string]int{leadership.StateFile: 20, leadership.LeaderFile: 5} {
		if read[name] < least {
			t.Errorf("%s was read %d times, want %d at least", name, read[name], least)
		}
	}
}

// readSlowly reads a file a byte at a time, over about 50 ms.
func readSlowly(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	var content []byte
	for b := make([]byte, 8); ; time.Sleep(time.Millisecond) {
		n, err := f.Read(b)
		content = append(content, b[:n]...)
		if errors.Is(err, io.EOF) {
			return content, nil
		}
		if err != nil {
			return content, err
		}
	}
}

// whole reports what is wrong with a file's content, read by itself.
func whole(name string, content []byte) error {
	if name == leadership.LeaderFile {
		if !greater(strings.TrimSuffix(string(content), "\n"), "0") || !strings.HasSuffix(string(content), "\n") {
			return errors.New("not a token and a newline")
		}
		return nil
	}
	var l leadership.Leadership
	if err := l.UnmarshalJSON(content); err != nil {
		return err
	}
	if l.IsLeader != (l.Token != "") || l.IsLeader && l.ValidUntil.IsZero() {
		return errors.New("it contradicts itself")
	}
	return nil
}
