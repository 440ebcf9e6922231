package main

import (
	"testing"

	"github.com/lease-sidecar/lease-sidecar/pkg/leadership"
)

// listener is a contender that keeps the last word.
type listener struct {
	fit bool
	why string
}

func (l *listener) SetHealthy(fit bool, why string) { l.fit, l.why = fit, why }
func (*listener) StepDown(string) error             { return nil }
func (*listener) Leadership() leadership.Leadership { return leadership.Leadership{} }

// One voice that says "unfit" is enough, and only that voice can take it back.
func TestFitness(t *testing.T) {
	var heard listener
	f := fitness{elector: &heard}
	health, command := f.voice("health"), f.voice("command")
	for i, step := range []struct {
		say voice
		fit bool
		why string

		wantFit bool
		wantWhy string
	}{
		{health, true, "well", true, "well"},
		{command, false, "it ended", false, "it ended"},
		{health, true, "still well", false, "it ended"},
		{health, false, "gone", false, "gone; it ended"},
		{command, true, "the pause is over", false, "gone"},
		{health, true, "back", true, "back"},
	} {
		step.say.SetFit(step.fit, step.why)
		if heard.fit != step.wantFit || heard.why != step.wantWhy {
			t.Errorf("step %d: got %t, %q; want %t, %q", i, heard.fit, heard.why, step.wantFit, step.wantWhy)
		}
	}
}
