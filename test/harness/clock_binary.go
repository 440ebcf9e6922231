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
	overlay, err := clockOverlay()
	if err != nil {
		return "", err
	}
	args := []string{"-overlay", overlay}
	if raceEnabled {
		args = append(args, "-race")
	}
	return build("lease-sidecar-skewable", nil, args...)
})

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

// clockOverlay writes the files of the overlay and returns the path of its description: the methods of
// bootclock.System become those of a clock beneath it.
func clockOverlay() (string, error) {
	root, err := moduleRoot()
	if err != nil {
		return "", err
	}
	dir, err := runDir()
	if err != nil {
		return "", err
	}
	replace := map[string]string{}
	put := func(name, text string) error {
		aside := filepath.Join(dir, "skewed_"+name)
		replace[filepath.Join(root, "pkg", "bootclock", name)] = aside
		if err := os.WriteFile(aside, []byte(text), 0o600); err != nil {
			return fmt.Errorf("write the overlay: %w", err)
		}
		return nil
	}
	for name, methods := range map[string][]string{"clock_linux.go": {"Now() Instant", "NewTimer() Timer"}, "instant.go": {"Wall() time.Time"}} {
		b, err := os.ReadFile(filepath.Join(root, "pkg", "bootclock", name))
		if err != nil {
			return "", fmt.Errorf("read the clock to overlay: %w", err)
		}
		text := string(b)
		for _, method := range methods {
			product, beneath := "func (System) "+method, "func (trueClock) "+method
			if n := strings.Count(text, product); n != 1 {
				return "", fmt.Errorf("overlay the clock: %s has %q %d times, want once", name, product, n)
			}
			text = strings.Replace(text, product, beneath, 1)
		}
		if err := put(name, text); err != nil {
			return "", err
		}
	}
	if err := put("skewed_linux.go", skewedClock); err != nil {
		return "", err
	}
	description, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return "", fmt.Errorf("describe the overlay: %w", err)
	}
	path := filepath.Join(dir, "skewed.json")
	if err := os.WriteFile(path, description, 0o600); err != nil {
		return "", fmt.Errorf("describe the overlay: %w", err)
	}
	return path, nil
}
