package page

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/lease-sidecar/lease-sidecar/test/bench/result"
)

// none is an empty cell.
const none = "–"

// number writes a value with three significant digits, as a person would: 0.33, 16.9, 1,230.
func number(v float64) string {
	switch a := math.Abs(v); {
	case a >= 1000:
		text := strconv.FormatFloat(v, 'f', 0, 64)
		for i := len(text) - 3; i > 0 && text[i-1] != '-'; i -= 3 {
			text = text[:i] + "," + text[i:]
		}
		return text
	case a >= 100:
		return strconv.FormatFloat(v, 'f', 0, 64)
	case a < 0.0005:
		return "0"
	}
	digits := max(0, 2-int(math.Floor(math.Log10(math.Abs(v)))))
	text := strconv.FormatFloat(v, 'f', digits, 64)
	if strings.Contains(text, ".") {
		text = strings.TrimRight(strings.TrimRight(text, "0"), ".")
	}
	return text
}

// times writes the ratio of two values.
func times(ours, theirs float64) string {
	switch ratio := ours / theirs; {
	case theirs == 0:
		return none
	case ratio >= 1 || ratio == 0:
		return number(ratio)
	case ratio > 0.1:
		return fmt.Sprintf("%.2f", ratio)
	default:
		return "1/" + number(1/ratio)
	}
}

// enough is the number of samples from which on the 99th percentile is another value than the greatest.
const enough = 100

// spread writes a series in one cell: its only value, or the median and what lies around it.
func spread(s result.Series) string {
	if s.Count() == 1 {
		return number(s.Values[0])
	}
	low, high := number(s.Rank(0)), number(s.Rank(1))
	if low == high {
		return low
	}
	if s.Count() >= enough {
		return fmt.Sprintf("%s (p99 %s, max %s)", number(s.Rank(.5)), number(s.Rank(.99)), high)
	}
	return fmt.Sprintf("%s (%s–%s)", number(s.Rank(.5)), low, high)
}
