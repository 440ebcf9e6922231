package field

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/go-multierror"
)

func TestFlatten(t *testing.T) {
	one, two, three := errors.New("one"), errors.New("two"), errors.New("three")
	joined := multierror.Append(nil, one, errors.Join(two, three))
	for name, tc := range map[string]struct {
		err  error
		want []error
	}{
		"none":           {nil, nil},
		"one":            {one, []error{one}},
		"joined, nested": {joined, []error{one, two, three}},
	} {
		got := Flatten(tc.err)
		if diff := cmp.Diff(tc.want, got, cmp.Comparer(errors.Is)); diff != "" {
			t.Errorf("%s: (-want +got)\n%s", name, diff)
		}
	}
	if wrapped := errors.Join(one); len(Flatten(wrapped)) != 1 {
		t.Error("a join of one is not one")
	}
}
