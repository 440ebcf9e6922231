package lease_test

import (
	"math/big"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/lease-sidecar/lease-sidecar/pkg/lease"
)

func TestParseVersion(t *testing.T) {
	for s, want := range map[string]bool{
		"1": true, "9": true, "10": true, "48213": true, "18446744073709551616": true, strings.Repeat("9", 100): true,
		"": false, "0": false, "01": false, "-1": false, "+1": false, "1.5": false, "1e9": false, " 1": false, "1 ": false, "a1": false, "1a": false, "１": false,
	} {
		got, err := lease.ParseVersion(s)
		if (err == nil) != want {
			t.Errorf("ParseVersion(%q): error %v, want it accepted: %v", s, err, want)
		}
		if want && got != lease.Version(s) || !want && got != "" {
			t.Errorf("ParseVersion(%q) = %q", s, got)
		}
	}
}

func TestCompare(t *testing.T) {
	rising := []lease.Version{"", "1", "2", "9", "10", "99", "100", "18446744073709551615", "18446744073709551616"}
	for i, v := range rising {
		for j, w := range rising {
			want := 0
			switch {
			case i < j:
				want = -1
			case i > j:
				want = 1
			}
			if got := v.Compare(w); got != want {
				t.Errorf("%q.Compare(%q) = %d, want %d", v, w, got, want)
			}
		}
	}
}

func TestCompareIsTheNumbersOrder(t *testing.T) {
	number := rapid.StringMatching(`[1-9][0-9]{0,40}`)
	rapid.Check(t, func(t *rapid.T) {
		a, b := number.Draw(t, "a"), number.Draw(t, "b")
		x, _ := new(big.Int).SetString(a, 10)
		y, _ := new(big.Int).SetString(b, 10)
		if got, want := lease.Version(a).Compare(lease.Version(b)), x.Cmp(y); got != want {
			t.Fatalf("%s.Compare(%s) = %d, want %d", a, b, got, want)
		}
	})
}
