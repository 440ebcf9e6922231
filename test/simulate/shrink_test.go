//go:build linux

package simulate

import "slices"

// shrink returns the smallest schedule that it finds, within so many runs, in which the same still goes wrong: first
// it leaves out faults in ever smaller groups, then candidates that no fault is for, then the time after the last one.
func shrink(s schedule, runs int, fails func(schedule) bool) schedule {
	try := func(t schedule) bool {
		if runs == 0 {
			return false
		}
		runs--
		return fails(t)
	}
	for group := max(len(s.Faults)/2, 1); ; group /= 2 {
		for at := 0; at < len(s.Faults); {
			t := s
			t.Faults = slices.Delete(slices.Clone(s.Faults), at, min(at+group, len(s.Faults)))
			if try(t) {
				s = t
			} else {
				at += group
			}
		}
		if group <= 1 {
			break
		}
	}
	for len(s.Slots) > 2 {
		t := s
		last := len(s.Slots) - 1
		t.Slots = s.Slots[:last:last]
		if slices.ContainsFunc(s.Faults, func(f fault) bool { return f.Target == last }) || !try(t) {
			break
		}
		s = t
	}
	if n := len(s.Faults); n > 0 {
		t := s
		t.End = min(s.End, s.Faults[n-1].At+s.Faults[n-1].Length+s.Duration)
		if try(t) {
			s = t
		}
	}
	return s
}
