package main

import (
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/lease-sidecar/lease-sidecar/pkg/leadership"
)

// contender is the elector, as far as fitness goes.
type contender interface {
	SetHealthy(healthy bool, why string)
	StepDown(cause string) error
	Leadership() leadership.Leadership
}

// fitness puts together what several voices say of the workload: one that calls it unfit is enough.
type fitness struct {
	mu      sync.Mutex
	elector contender
	unfit   map[string]string // why, by voice
}

// voice is one who says whether the workload is fit to lead.
type voice struct {
	of   *fitness
	name string
}

func (f *fitness) voice(name string) voice { return voice{f, name} }

func (v voice) elector() contender { return v.of.elector }

// Leadership returns what is known now.
func (v voice) Leadership() leadership.Leadership { return v.of.elector.Leadership() }

// SetFit takes the voice's word in place of its last one.
func (v voice) SetFit(fit bool, why string) {
	v.of.mu.Lock()
	defer v.of.mu.Unlock()
	if v.of.unfit == nil {
		v.of.unfit = map[string]string{}
	}
	if fit {
		delete(v.of.unfit, v.name)
	} else {
		v.of.unfit[v.name] = why
	}
	if reasons := slices.Sorted(maps.Values(v.of.unfit)); len(reasons) > 0 {
		why, fit = strings.Join(reasons, "; "), false
	}
	v.of.elector.SetHealthy(fit, why)
}
