package bootclock

import (
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

// The clock counts from boot, as /proc/uptime does, so that all processes of one boot share it.
func TestNowCountsFromBoot(t *testing.T) {
	before := System{}.Now()
	b, err := os.ReadFile("/proc/uptime")
	if err != nil {
		t.Fatal(err)
	}
	after := System{}.Now()
	seconds, err := strconv.ParseFloat(strings.Fields(string(b))[0], 64)
	if err != nil {
		t.Fatal(err)
	}
	const hundredth = 10 * time.Millisecond // uptime is given in hundredths, rounded down
	uptime := Instant(seconds * 1e9)
	if uptime < before.Add(-2*hundredth) || uptime > after.Add(2*hundredth) {
		t.Errorf("uptime is %s; want it between %s and %s", uptime, before, after)
	}
}

func TestNowNeverGoesBack(t *testing.T) {
	last := System{}.Now()
	for range 10_000 {
		now := System{}.Now()
		if now.Before(last) {
			t.Fatalf("%s came after %s", now, last)
		}
		last = now
	}
}

func TestID(t *testing.T) {
	first, err := ID()
	if err != nil {
		t.Fatal(err)
	}
	second, err := ID()
	if err != nil || first != second {
		t.Errorf("one boot has two names: %q and %q, %v", first, second, err)
	}
	if !regexp.MustCompile(`^[0-9a-f-]{36}$`).MatchString(first) {
		t.Errorf("got %q; want a UUID", first)
	}
}

// inNamespace is set in the copy of this test program that runs in a time namespace.
const inNamespace = "BOOTCLOCK_TEST_IN_NAMESPACE"

// TestIDTellsTimeNamespacesApart: a process whose time namespace moves the boot clock has another clock, and another ID. It
// runs this test program again in such a namespace, which has it print its name for the clock and a reading of it.
func TestIDTellsTimeNamespacesApart(t *testing.T) {
	if os.Getenv(inNamespace) != "" {
		id, err := ID()
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("ID=%s NOW=%s", id, System{}.Now())
		return
	}
	here, err := ID()
	if err != nil {
		t.Fatal(err)
	}
	before := System{}.Now()
	args := []string{"--time", "--boottime", "600", "--fork", os.Args[0], "-test.v", "-test.run", "^TestIDTellsTimeNamespacesApart$"}
	if os.Geteuid() != 0 {
		args = append([]string{"--user", "--map-root-user"}, args...)
	}
	cmd := exec.Command("unshare", args...)
	cmd.Env = append(os.Environ(), inNamespace+"=1")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("run in a time namespace (a kernel from 5.6 on, and util-linux, are needed): %v\n%s", err, out)
	}
	there, now, ok := reported(string(out))
	if !ok {
		t.Fatalf("the copy printed nothing of its clock:\n%s", out)
	}
	if moved := now.Sub(before); moved < 590*time.Second || moved > 700*time.Second {
		t.Fatalf("the namespace's clock is %s ahead, want about 600 s: the test proves nothing", moved)
	}
	if want := here + "+10m0s"; there != want {
		t.Errorf("in a time namespace 600 s ahead the clock is called %q, want %q", there, want)
	}
}

// reported finds what the copy printed.
func reported(out string) (id string, now Instant, ok bool) {
	for text := range strings.FieldsSeq(out) {
		if v, found := strings.CutPrefix(text, "ID="); found {
			id = v
		}
		if v, found := strings.CutPrefix(text, "NOW="); found {
			n, err := strconv.ParseInt(v, 10, 64)
			now, ok = Instant(n), err == nil
		}
	}
	return id, now, ok && id != ""
}

func TestBootOffset(t *testing.T) {
	for _, c := range []struct {
		offsets string
		want    time.Duration
		fails   bool
	}{
		{"monotonic           0         0\nboottime            0         0\n", 0, false},
		{"monotonic           0         0\nboottime          600         5\n", 600*time.Second + 5, false},
		{"monotonic 7 0\nboottime -3 1000000\n", -3*time.Second + time.Millisecond, false},
		{"monotonic 7 0\n", 0, true},
		{"", 0, true},
	} {
		got, err := bootOffset(c.offsets)
		if got != c.want || (err != nil) != c.fails {
			t.Errorf("bootOffset(%q) = %s, %v; want %s, fails %v", c.offsets, got, err, c.want, c.fails)
		}
	}
}
