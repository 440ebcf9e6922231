package elector

import (
	"math"
	"time"
)

// spread returns how long to wait beyond the first permitted instant, so that of N candidates that become free to
// try at once only a few do: with 500, about five. It is max(0, 40 ms · (1 + ln u / ln 500)) for u in (0, 1): most
// draws are near 40 ms, a rare few near 0, and with more candidates the earliest of them comes earlier. Source:
// simulated at 3, 10, 50 and 500 candidates; doubling and halving a spread instead does not converge.
func spread(u float64) time.Duration {
	const most, candidates = 40 * time.Millisecond, 500
	if u <= 0 {
		return 0
	}
	return max(0, time.Duration(float64(most)*(1+math.Log(u)/math.Log(candidates))))
}

// between returns a time drawn evenly from [low, high) by u in [0, 1).
func between(low, high time.Duration, u float64) time.Duration {
	return low + time.Duration(u*float64(high-low))
}
