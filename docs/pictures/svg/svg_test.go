package svg

import (
	"fmt"
	"math"
	"strconv"
	"testing"
)

// TestTextCanBeRead wants the contrast of text that WCAG 2.1 calls AA, 4.5:1, for each ink on each ground that it is written on.
func TestTextCanBeRead(t *testing.T) {
	const least = 4.5
	for _, theme := range Themes {
		grounds := map[string]string{"the page": theme.Page, "a card": theme.Card}
		inks := map[string]string{
			"ink": theme.Ink, "muted": theme.Muted, "green": theme.Green, "blue": theme.Blue, "red": theme.Red, "amber": theme.Amber,
		}
		for ink, colour := range inks {
			for ground, behind := range grounds {
				if got := contrast(t, colour, behind); got < least {
					t.Errorf("%s: %s on %s: contrast %.1f, want %.1f", theme.Name, ink, ground, got, least)
				}
			}
		}
		for name, fill := range map[string]string{"green": theme.GreenFill, "blue": theme.BlueFill, "amber": theme.AmberFill} {
			if got := contrast(t, theme.Ink, fill); got < least {
				t.Errorf("%s: ink on the %s fill: contrast %.1f, want %.1f", theme.Name, name, got, least)
			}
		}
	}
}

func TestContrast(t *testing.T) {
	for pair, want := range map[[2]string]string{
		{"#000000", "#ffffff"}: "21.0", {"#ffffff", "#ffffff"}: "1.0", {"#777777", "#ffffff"}: "4.5", {"#ffffff", "#777777"}: "4.5",
	} {
		if got := fmt.Sprintf("%.1f", contrast(t, pair[0], pair[1])); got != want {
			t.Errorf("contrast of %v = %s, want %s", pair, got, want)
		}
	}
}

// contrast returns the contrast of two colours by WCAG 2.1: 1 for equal ones, 21 for black on white.
func contrast(t *testing.T, one, other string) float64 {
	t.Helper()
	a, b := luminance(t, one), luminance(t, other)
	return (max(a, b) + 0.05) / (min(a, b) + 0.05)
}

func luminance(t *testing.T, colour string) float64 {
	t.Helper()
	var sum float64
	for i, weight := range []float64{0.2126, 0.7152, 0.0722} {
		part, err := strconv.ParseUint(colour[1+2*i:3+2*i], 16, 8)
		if err != nil {
			t.Fatal(err)
		}
		if c := float64(part) / 255; c <= 0.03928 {
			sum += weight * c / 12.92
		} else {
			sum += weight * math.Pow((c+0.055)/1.055, 2.4)
		}
	}
	return sum
}
