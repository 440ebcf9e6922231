//go:build linux

package simulate

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"

	"github.com/lease-sidecar/lease-sidecar/pkg/elector"
)

// holdPath is where the pod's hold lies.
func (p *pod) holdPath() string { return filepath.Join(p.dir, "."+leaseName+".hold") }

// judgeHoldOnDisk asks that no release is sent while the hold, as it lies on the disk, could make a restarted process
// lead (I15). The caller holds the world's lock.
func (p *process) judgeHoldOnDisk() {
	if p.hold == nil {
		return
	}
	b, err := os.ReadFile(p.pod.holdPath())
	if err != nil {
		return
	}
	_, doc, _ := bytes.Cut(b, []byte(" "))
	var h elector.HoldState
	if json.Unmarshal(doc, &h) != nil {
		return // torn: void
	}
	p.w.must(!h.Leading || !p.boot().Before(h.ValidUntil), "I15", "%s releases while its hold says that it leads until %s", p.name, h.ValidUntil)
}
