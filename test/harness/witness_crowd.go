//go:build linux

package harness

import "time"

// crowdLook is the time that looking at one of a crowd may take up: fifty are each looked at every 50 ms.
const crowdLook = time.Millisecond

// AddCrowd watches many replicas by their documents alone, each more seldom than Add does, so that the looking does not
// take the machine away from them.
func (w *Witness) AddCrowd(replicas ...*Sidecar) {
	for _, s := range replicas {
		w.look(s.Pod, "state", max(fileLook, time.Duration(len(replicas))*crowdLook), s.Told)
	}
}
