//go:build linux

package simulate

import "time"

// chance draws by who asks, for what and when, and not from a stream: goroutines that run at one instant may draw in
// any order, and the history stays the same.
type chance struct{ seed uint64 }

// fraction returns a number drawn evenly from [0, 1).
func (c chance) fraction(who int, what string, at time.Duration) float64 {
	h := c.seed
	h = stir(h ^ uint64(who))
	for _, b := range []byte(what) {
		h = stir(h ^ uint64(b))
	}
	return float64(stir(h^uint64(at))>>11) / (1 << 53)
}

// span returns a time drawn evenly from (0, most].
func (c chance) span(who int, what string, at, most time.Duration) time.Duration {
	return 1 + time.Duration(c.fraction(who, what, at)*float64(most-1))
}

// stir is the finalizer of SplitMix64 (Steele, Lea and Flood, 2014) after its golden-ratio step.
func stir(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
