//go:build linux

package process

import (
	"slices"

	"github.com/lease-sidecar/lease-sidecar/internal/procfs"
	"github.com/lease-sidecar/lease-sidecar/internal/sight"
)

// This file says which processes are the workload's work, and whether any of them is working.

// scene is what the machine knows of the work at one moment.
type scene struct {
	cfg                                 Config
	members                             []procfs.Process // the processes of this term, or of the last
	headless                            bool             // the last term's process is gone, whatever it left behind
	everFound, leads, awaits, untracked bool
}

func (m *machine) scene() scene {
	c := scene{
		cfg: m.cfg, members: m.work, headless: m.held == nil || !contains(m.work, m.held.ID),
		everFound: m.everFound, leads: m.leads, awaits: m.awaits, untracked: m.drain.untracked(),
	}
	if m.leads {
		c.members = m.kin
	}
	return c
}

func (c scene) atWork(states map[procfs.ID]byte) bool {
	parks := c.cfg.OnLost.Parks() && !c.leads
	for _, p := range c.members {
		if state, lives := states[p.ID]; lives && (!parks || !(procfs.Process{State: state}).Stopped()) {
			return true
		}
	}
	return false
}

// state implements the rules of [Process.State].
func (c scene) state(works, ending bool) sight.State {
	lost := c.cfg.OnLost
	switch {
	case works && (c.leads || ending || lost.Ends() || lost.Parks() || c.headless):
		return sight.Running
	case works, c.leads, c.awaits, !c.everFound, c.untracked: // a leader may start it again
		return sight.Unknown
	}
	return sight.Stopped
}

// someAtWork reports whether any process of the last or the current term is still at work.
func (s *step) someAtWork() bool {
	states := s.view.states
	if s.table != nil {
		states = map[procfs.ID]byte{}
		for _, p := range s.table {
			states[p.ID] = p.State
		}
	}
	return s.scene().atWork(states)
}

func statesOf(processes []procfs.Process) map[procfs.ID]byte {
	states := make(map[procfs.ID]byte, len(processes))
	for _, p := range processes {
		if now, alive := p.Alive(); alive {
			states[p.ID] = now.State
		}
	}
	return states
}

// remember updates kin and work. Known processes stay while they live, as a child whose parent has ended shows no kinship
// any more. The held process comes first.
func (s *step) remember(namesakes []procfs.Process) {
	var kin []procfs.ID
	if s.held != nil {
		kin = append(kin, s.held.ID)
	}
	if s.everFound {
		kin = append(kin, ids(namesakes)...)
	}
	if s.leads {
		kin = append(kin, ids(s.kin)...)
	} else {
		kin = append(kin, ids(s.work)...)
		s.work = s.table.Families(ids(s.work)...)
	}
	s.kin = s.table.Families(kin...)
}

func (m *machine) addToWork(processes []procfs.Process) {
	for _, p := range processes {
		if !contains(m.work, p.ID) {
			m.work = append(m.work, p)
		}
	}
}

// addSeen adds new descendants of the last term's processes, as a sight saw them.
func (m *machine) addSeen(found []procfs.Process) {
	if before := len(m.work); !m.leads {
		m.addToWork(found)
		m.stale = m.stale || len(m.work) > before
	}
}

func ids(processes []procfs.Process) []procfs.ID {
	var ids []procfs.ID
	for _, p := range processes {
		ids = append(ids, p.ID)
	}
	return ids
}

func contains(processes []procfs.Process, id procfs.ID) bool {
	return slices.ContainsFunc(processes, func(p procfs.Process) bool { return p.ID == id })
}
