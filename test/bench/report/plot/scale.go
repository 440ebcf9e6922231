package plot

import (
	"math"
	"strconv"
)

// scale maps values to pixels.
type scale struct {
	low, high float64 // values
	from, to  float64 // pixels
	log       bool
}

func (s scale) at(v float64) float64 {
	if s.log {
		return s.from + (s.to-s.from)*(math.Log(max(v, s.low))-math.Log(s.low))/(math.Log(s.high)-math.Log(s.low))
	}
	return s.from + (s.to-s.from)*(v-s.low)/(s.high-s.low)
}

// linear returns a scale from 0 to a round value that is not below high, and its ticks.
func linear(high, from, to float64, most int) (scale, []float64) {
	if high <= 0 {
		high = 1
	}
	step := math.Pow(10, math.Floor(math.Log10(high)))
	for _, part := range []float64{.1, .2, .25, .5, 1, 2, 5} {
		if high/(step*part) <= float64(most) {
			step *= part
			break
		}
	}
	n := int(math.Ceil(high/step - 1e-9))
	ticks := make([]float64, 0, n+1)
	for i := range n + 1 {
		ticks = append(ticks, float64(i)*step)
	}
	return scale{low: 0, high: ticks[n], from: from, to: to}, ticks
}

// logarithmic returns a scale from below low to above high, and its ticks at 1, 2 and 5 of each power of ten.
func logarithmic(low, high, from, to float64) (scale, []float64) {
	var all []float64
	for decade := math.Pow(10, math.Floor(math.Log10(low))); decade <= high*10; decade *= 10 {
		all = append(all, decade, 2*decade, 5*decade)
	}
	first, last := 0, len(all)-1
	for first+1 < len(all) && all[first+1] <= low {
		first++
	}
	for last > first+1 && all[last-1] >= high {
		last--
	}
	ticks := all[first : last+1]
	return scale{low: ticks[0], high: ticks[len(ticks)-1], from: from, to: to, log: true}, ticks
}

// short writes the value of a tick.
func short(v float64) string {
	if v >= 10_000 {
		return strconv.FormatFloat(v/1000, 'g', 4, 64) + "k"
	}
	return strconv.FormatFloat(v, 'g', 4, 64)
}

// value writes a measured value with three significant digits.
func value(v float64) string {
	switch {
	case v >= 100:
		return strconv.FormatFloat(v, 'f', 0, 64)
	case v < 0.0005:
		return "0"
	}
	return strconv.FormatFloat(v, 'g', 3, 64)
}

// milliseconds writes a time as people do.
func milliseconds(v float64) string {
	if v >= 1000 {
		return short(v/1000) + " s"
	}
	return short(v) + " ms"
}
