package field

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestFlatten(t *testing.T) {
	one, two, three := errors.New("one"), errors.New("two"), errors.New("three")
	var all, inner Faults
	inner.Add(two)
	inner.Add(three)
	all.Add(one)
	all.Add(inner.Err())
	for name, tc := range map[string]struct {
		err  error
		want []error
	}{
		"none":    {new(Faults).Err(), nil},
		"one":     {one, []error{one}},
		"wrapped": {errors.Join(one, two), []error{errors.Join(one, two)}},
		"nested":  {all.Err(), []error{one, two, three}},
	} {
		got := Flatten(tc.err)
		if diff := cmp.Diff(tc.want, got, cmp.Comparer(func(a, b error) bool { return a.Error() == b.Error() })); diff != "" {
			t.Errorf("%s: (-want +got)\n%s", name, diff)
		}
	}
}
