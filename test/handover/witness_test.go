package handover

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
)

// spell is one replica's work, from its start to its stop; no stop: it goes on.
type spell struct {
	name        string
	start, stop bootclock.Instant
}

// spells reads what the toys have witnessed, in the order of the starts.
func spells(t *testing.T, dir string) []spell {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, witnessFile))
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	list, err := parseSpells(string(text))
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func parseSpells(text string) ([]spell, error) {
	var list []spell
	for line := range strings.Lines(text) {
		fields := strings.Fields(line)
		if len(fields) != 3 || !strings.HasSuffix(line, "\n") {
			continue // being written
		}
		at, err := bootclock.Parse(fields[2])
		if err != nil {
			return nil, err
		}
		if fields[0] == "start" {
			list = append(list, spell{name: fields[1], start: at})
			continue
		}
		for i := len(list) - 1; i >= 0; i-- {
			if list[i].name == fields[1] && list[i].stop.IsZero() {
				list[i].stop = at
				break
			}
		}
	}
	return list, nil
}

// overlaps returns the pairs of spells that lie over each other.
func overlaps(list []spell) [][2]spell {
	var found [][2]spell
	for i, a := range list {
		for _, b := range list[i+1:] {
			if (a.stop.IsZero() || b.start.Before(a.stop)) && (b.stop.IsZero() || a.start.Before(b.stop)) {
				found = append(found, [2]spell{a, b})
			}
		}
	}
	return found
}

// The witness itself must see an overlap.
func TestOverlaps(t *testing.T) {
	for _, c := range []struct {
		name, text string
		want       int
	}{
		{"one after the other", "start a 1\nstop a 5\nstart b 5\nstop b 6\n", 0},
		{"the next is still at it", "start a 1\nstop a 5\nstart b 6\n", 0},
		{"a nanosecond too early", "start a 1\nstart b 4\nstop a 5\nstop b 6\n", 1},
		{"lines in another order than the instants", "start a 1\nstop a 5\nstop b 3\nstart b 4\n", 1},
		{"never stopped", "start a 1\nstart b 4\nstop b 5\nstart b 6\n", 2},
		{"the same replica twice", "start a 1\nstart a 4\n", 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			list, err := parseSpells(c.text)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, len(overlaps(list))); diff != "" {
				t.Errorf("overlaps (-want +got):\n%s", diff)
			}
		})
	}
}

// working returns the spell that goes on now, if there is one.
func working(t *testing.T, dir string) (spell, bool) {
	t.Helper()
	for _, s := range spells(t, dir) {
		if s.stop.IsZero() {
			return s, true
		}
	}
	return spell{}, false
}

// eventually waits until something is so, for at most 60 s.
func eventually(t *testing.T, what string, so func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(2 * time.Millisecond) {
		if so() {
			return
		}
	}
	t.Fatalf("not within a minute: %s", what)
}
