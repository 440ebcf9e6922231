//go:build linux

package fleet

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"time"

	"github.com/lease-sidecar/lease-sidecar/pkg/elector"
)

// holdPath returns the path of the pod's hold.
func (p *Pod) holdPath() string { return filepath.Join(p.dir, elector.HoldName) }

// holdFile is a process's hold on the pod's volume: the real file, which may be full.
type holdFile struct {
	*elector.Hold
	p *process
}

var _ elector.HoldFile = holdFile{}

// Save implements [elector.HoldFile]. What is left of a killed process writes nothing.
func (h holdFile) Save(key elector.HoldKey, s elector.HoldState) error {
	h.p.w.mu.Lock()
	defer h.p.w.mu.Unlock()
	switch {
	case h.p.dead:
		return errKilled
	case h.p.w.now() < h.p.c.holdFull:
		h.p.w.say(h.p.name, "hold", "cannot be written: leading %v", s.Leading)
		return errNoSpace
	}
	err := h.Hold.Save(key, s)
	if err == nil {
		h.p.pod.heir = time.Time{}
		if s.Leading {
			h.p.pod.heir = s.AcquireTime
		}
	}
	return err
}

// spoiling is what happens to a hold while no process has it open.
type spoiling string

const (
	torn      spoiling = "torn"                       // only the first part of it was written
	copied    spoiling = "copied"                     // the directory was copied, and the copy is used: other inodes
	elsewhere spoiling = "of another namespace"       // the sidecar ran in it with another namespace
	otherName spoiling = "of another identity"        // or as another pod
	otherDisk spoiling = "of another store"           // or with another store
	emptied   spoiling = "empty, as a full disk left" // a write that had emptied it first
)

var spoilings = []spoiling{torn, copied, elsewhere, otherName, otherDisk, emptied}

// spoilHold kills the sidecar, spoils its hold, and starts its successor.
func (c *candidate) spoilHold(d time.Duration) {
	p := c.running()
	if p == nil || p.hold == nil || p.pod.dir == "" {
		return
	}
	p.kill()
	how := oneOf(c.w.chance, c.number, "spoiling", c.w.now(), spoilings)
	c.w.note("the hold of " + p.pod.name + " is " + string(how))
	if err := p.pod.spoil(how, c.w.chance.fraction(c.number, "torn at", c.w.now()), p); err != nil {
		panic(err)
	}
	c.succeed(p.pod, samePod, d/20)
}

func (p *Pod) spoil(how spoiling, part float64, last *process) error {
	b, err := os.ReadFile(p.holdPath())
	if err != nil {
		return err
	}
	p.w.mu.Lock()
	p.spoilt = true
	p.w.mu.Unlock()
	switch how {
	case torn:
		return os.Truncate(p.holdPath(), int64(part*float64(len(b))))
	case emptied:
		return os.Truncate(p.holdPath(), 0)
	case copied:
		dir := p.dir + "'"
		if err := os.Mkdir(dir, 0o700); err != nil {
			return err
		}
		p.w.mu.Lock()
		p.dir = dir
		p.w.mu.Unlock()
		return os.WriteFile(p.holdPath(), b, 0o600)
	}
	key := last.cfg.HoldKey()
	switch how {
	case elsewhere:
		key.Namespace += "-other"
	case otherDisk:
		key.Store = "another"
	case otherName:
		key.Identity += "0"
	}
	return p.rewrite(key, b)
}

// rewrite writes the same hold with another key.
func (p *Pod) rewrite(key elector.HoldKey, b []byte) error {
	h, ok := parseHold(b)
	if !ok {
		return nil // void as it is
	}
	hold, err := elector.OpenHold(p.dir)
	if err != nil {
		return err
	}
	return errors.Join(hold.Save(key, h), hold.Close())
}

// parseHold returns what a hold file says.
func parseHold(b []byte) (h elector.HoldState, ok bool) {
	_, doc, _ := bytes.Cut(b, []byte(" "))
	ok = json.Unmarshal(doc, &h) == nil
	return h, ok
}

// judgeHoldOnDisk reports a release while the hold on disk could make a restarted process
// lead (I15). The caller holds the world's lock.
func (p *process) judgeHoldOnDisk() {
	if p.hold == nil {
		return
	}
	b, err := os.ReadFile(p.pod.holdPath())
	if err != nil {
		return
	}
	h, ok := parseHold(b) // a torn one is void
	p.w.must(!ok || !h.Leading || !p.boot().Before(h.ValidUntil), "I15", "%s releases while its hold says that it leads until %s", p.name, h.ValidUntil)
}
