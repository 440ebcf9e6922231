package status

import (
	"regexp"
	"slices"

	"github.com/lease-sidecar/lease-sidecar/pkg/naming"
)

// hashed is the form of a name that a prefix and a workload make.
var hashed = regexp.MustCompile(`^(.+)-[0-9a-f]{10}$`)

// nameSuits reports whether a Lease's name is one that its workload makes with some prefix, or one that was given by hand.
func nameSuits(name, workload string) bool {
	parts := hashed.FindStringSubmatch(name)
	w, err := naming.ParseWorkload(workload)
	if parts == nil || err != nil {
		return true // no claim that could be wrong
	}
	want, err := naming.NewLeaseName(parts[1], w)
	return err != nil || string(want) == name
}

// markCollisions marks the elections of one workload: where two of them are held, replicas of one workload may lead side by side. A
// Lease that nobody holds is only left over, such as that of an older prefix.
func markCollisions(all []Election) {
	of := map[key][]int{}
	for i, e := range all {
		if e.Kind == Sidecar && e.Workload != "" {
			k := key{e.Object.Namespace, e.Workload}
			of[k] = append(of[k], i)
		}
	}
	for _, group := range of {
		held := slices.DeleteFunc(slices.Clone(group), func(i int) bool { return all[i].State != Held })
		if len(group) < 2 || len(held) == 0 {
			continue
		}
		copies := make([]Election, 0, len(group))
		for _, i := range group {
			copies = append(copies, all[i])
		}
		for n, i := range group {
			all[i].same = slices.Concat(copies[:n], copies[n+1:])
			switch {
			case all[i].State != Held:
				all[i].Marks = append(all[i].Marks, Duplicate)
			case len(held) > 1 && !slices.Contains(all[i].Marks, Collision):
				all[i].Marks = append(all[i].Marks, Collision)
			}
		}
	}
}
