package main

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParse(t *testing.T) {
	green, dim := style{colour: "green"}, style{dim: true}
	for name, tc := range map[string]struct {
		screen string
		want   [][]run
	}{
		"plain":                            {"a b\n", [][]run{{{0, "a b", style{}}}}},
		"a colour, and the end of it":      {"a\x1b[32mé\x1b[0mc\n", [][]run{{{0, "a", style{}}, {1, "é", green}, {2, "c", style{}}}}},
		"a colour lasts to the next row":   {"\x1b[32ma\nb\n", [][]run{{{0, "a", green}}, {{0, "b", green}}}},
		"the default colour, and dim":      {"\x1b[32m\x1b[2;39ma\n", [][]run{{{0, "a", dim}}}},
		"empty rows at the top and bottom": {" \n\na\n\nb\n\x1b[0m\n \n", [][]run{{{0, "a", style{}}}, nil, {{0, "b", style{}}}}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := parse(tc.screen)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, got, cmp.AllowUnexported(run{}, style{})); diff != "" {
				t.Errorf("screen (-want +got):\n%s", diff)
			}
		})
	}
	for name, screen := range map[string]string{"a style that is not drawn": "\x1b[7ma\n", "no end": "\x1b[3"} {
		if _, err := parse(screen); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
