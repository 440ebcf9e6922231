package process

import (
	"testing"

	"github.com/lease-sidecar/lease-sidecar/internal/transcripttest"
	"github.com/lease-sidecar/lease-sidecar/pkg/leadership"
)

// TestTranscripts plays the files in testdata. A line that starts with a time is an event; the lines with ">" are what the machine
// wants done about it, and when it is to be asked again. A pod of made-up processes stands behind it, whose target is called web.
//
//	config elected=SIG lost=SIG fence margin=D stop=D   first
//	1s start PID [parent=PID] [name=X] [catches=SIG,SIG] [ignores=SIG]
//	1s end PID | freeze PID | wake PID | busy PID | rest PID | deny PID
//	1s guard fails | works
//	1s lead TOKEN until=T | drain until=T [transitions=N] | lose      Apply
//	1s step                                            Run: its time has come, or the process has ended
//	1s step took=D                                     the same, with a look that takes so much of a processor
//	1s step meanwhile=TOKEN until=T                    the same, and a leadership comes while /proc is read
//	1s close
//
// A frozen process takes no signal, and has handled all that were pending when it wakes. KILL ends a process, and so does TERM where
// the process neither catches nor ignores it.
func TestTranscripts(t *testing.T) { transcripttest.Run(t, play) }

// A view that does not answer the action before is an error, and does nothing. The machine looks anew then.
func TestIllegalAnswers(t *testing.T) {
	kinds := []kind{nothing, lookNow, viewNow, armGuard, sendSignal}
	for _, pending := range kinds {
		for _, of := range kinds {
			if of == pending {
				continue
			}
			m := newMachine(Config{Target: Target{Name: "web"}, OnLost: term})
			m.lead(leadership.Leadership{}, transcriptBoot)
			m.pending = action{kind: pending}
			out, err := m.decide(view{now: transcriptBoot, answer: answer{of: of, errs: []error{nil}}})
			if err == nil || out.action.kind != nothing {
				t.Errorf("%s where %s is pending: got %+v, %v; want an error", of, pending, out, err)
			}
			if out, err = m.decide(view{now: transcriptBoot}); err != nil || out.action.kind != lookNow {
				t.Errorf("after it: got %s, %v; want a look", out.action.kind, err)
			}
		}
	}
}
