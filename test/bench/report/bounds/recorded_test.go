package bounds

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lease-sidecar/lease-sidecar/test/bench/result"
)

// TestRecorded: the bounds hold for a short run of the product as it is, and a product that was broken by hand breaks those that it
// should. In testdata are the results of such runs, of the figures that have bounds; each broken product ran the parts that it harms.
func TestRecorded(t *testing.T) {
	for name, tc := range map[string]struct {
		file string // of the broken product; "" for none
		want []string
	}{
		"nothing is wrong": {},
		"a standby waits for 300 ms before it takes a released Lease": {"turn.jsonl", []string{
			"handover/total: p50 at most 1/3 of client-go's", "handover/total: p50 at most 12 times the floor",
		}},
		"each write reads the Lease first": {"read.jsonl", []string{
			"requests/fleet at 1: at most 0.45 a second", "requests/fleet at 3: at most 0.45 a second", "scale/elections/requests at 30: at most 1/2 of client-go's",
		}},
		"standbys read the Lease every second and watch nothing": {"poll.jsonl", []string{
			"handover/total: p50 at most 1/3 of client-go's", "handover/total: p50 at most 12 times the floor",
			"requests/fleet at 1: at most 0.45 a second", "requests/fleet at 3: at most 0.45 a second",
			"scale/500/idle/requests at 10: at most 1/3 of client-go's", "scale/500/successor/conflicts at 10: p50 at most 1",
			"scale/elections/requests at 30: at most 1/2 of client-go's", "scale/elections/handover at 30: p50 at most 1/4 of client-go's",
		}},
		"no leader releases its Lease": {"norelease.jsonl", []string{
			"scale/elections/handover at 30: p50 at most 1/4 of client-go's", "leaderless/rollout-3: at most client-go's and twice the safety margin",
		}},
		"a standby waits for a second lease duration": {"twice.jsonl", []string{
			"takeover/past-expiry: p50 at most 1/4 of client-go's",
			"leaderless/pod-kill: at most client-go's and twice the safety margin", "leaderless/cut: at most client-go's and twice the safety margin",
		}},
	} {
		t.Run(name, func(t *testing.T) {
			files := []string{filepath.Join("testdata", "good.jsonl")}
			if tc.file != "" {
				files = append(files, filepath.Join("testdata", tc.file))
			}
			run, err := result.Read(files...)
			if err != nil {
				t.Fatal(err)
			}
			var out strings.Builder
			err = Check(run, All(), &out)
			var broken []string
			for line := range strings.Lines(out.String()) {
				if rest, ok := strings.CutPrefix(line, "BROKEN  "); ok {
					figure, rest, _ := strings.Cut(rest, ": ")
					text, _, _ := strings.Cut(rest, ": ")
					broken = append(broken, figure+": "+text)
				}
			}
			if (err != nil) != (len(tc.want) > 0) {
				t.Errorf("error %v, and %d bounds should break", err, len(tc.want))
			}
			if diff := cmp.Diff(slices.Sorted(slices.Values(tc.want)), slices.Sorted(slices.Values(broken))); diff != "" {
				t.Errorf("broken bounds (-want +got):\n%s\n%s", diff, out.String())
			}
		})
	}
}
