//go:build linux

package harness

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// SkewableBinary returns the sidecar to test, built so that it reads its clocks through a ClockFile. The product has
// no such switch: an overlay puts one between the machine's clocks and all that the product reads of them.
func SkewableBinary(t testing.TB) string { return must(t)(skewableBinary()) }

var skewableBinary = sync.OnceValues(func() (string, error) {
	p := program{name: "lease-sidecar-skewable", pkg: "cmd/lease-sidecar", before: writeOverlay}
	dir, err := buildDir()
	if err != nil {
		return "", err
	}
	p.args = []string{"-overlay", filepath.Join(dir, overlayFile)}
	if raceEnabled {
		p.name += "-race"
		p.args = append(p.args, "-race")
	}
	return p.build()
})

// overlayFile describes the overlay, in the folder for binaries.
const overlayFile = "skewed.json"

// skewedClock takes the place of bootclock's own methods.
const skewedClock = `package bootclock

import (
	"time"

	"github.com/lease-sidecar/lease-sidecar/test/harness/skew"
)

type trueClock struct{}

func (System) Now() Instant { return Instant(skew.OfProcess().Boot(int64(trueClock{}.Now()))) }

func (System) Wall() time.Time { return skew.OfProcess().Wall(trueClock{}.Wall()) }

func (System) NewTimer() Timer { return NewPolledTimer(System{}.Now, 0) }
`

// writeOverlay writes the files of the overlay and its description: the methods of bootclock.System become those of a clock
// beneath it.
func writeOverlay(dir string) error {
	root, err := moduleRoot()
	if err != nil {
		return err
	}
	folder := filepath.Join(root, "pkg", "bootclock")
	texts := map[string]string{"skewed_linux.go": skewedClock}
	for name, methods := range map[string][]string{"clock_linux.go": {"Now() Instant", "NewTimer() Timer"}, "instant.go": {"Wall() time.Time"}} {
		text, err := os.ReadFile(filepath.Join(folder, name))
		if err != nil {
			return fmt.Errorf("read the clock to overlay: %w", err)
		}
		texts[name] = string(text)
		for _, method := range methods {
			product, beneath := "func (System) "+method, "func (trueClock) "+method
			if n := strings.Count(texts[name], product); n != 1 {
				return fmt.Errorf("overlay the clock: %s has %q %d times, want once", name, product, n)
			}
			texts[name] = strings.Replace(texts[name], product, beneath, 1)
		}
	}
	replace := map[string]string{}
	for name, text := range texts {
		aside := filepath.Join(dir, "skewed_"+name)
		replace[filepath.Join(folder, name)] = aside
		if err := os.WriteFile(aside, []byte(text), 0o600); err != nil {
			return fmt.Errorf("write the overlay: %w", err)
		}
	}
	description, err := json.Marshal(map[string]any{"Replace": replace})
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, overlayFile), description, 0o600)
	}
	if err != nil {
		return fmt.Errorf("describe the overlay: %w", err)
	}
	return nil
}
