package histories

import (
	"fmt"
	"slices"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/lease-sidecar/lease-sidecar/pkg/lease"
)

// Specification says which histories are right: those that a single worker could have made, one operation at a time.
type Specification struct {
	// Name is for messages.
	Name string

	acts  []Act // that it judges; it is blind to others
	model porcupine.Model
}

// held is what [Lock] remembers.
type held struct {
	token  lease.Version // of the holder; "" while free
	issued lease.Version // the highest token so far
}

// Lock is the election's promise: leadership is acquired only while nobody has it, under a token higher than all
// before, and only its holder gives it up, or runs out of it.
var Lock = specify("lock", held{}, func(s held, o Operation) (held, bool) {
	if o.Act == Acquire {
		return held{token: o.Token, issued: o.Token}, s.token == "" && o.Token.Compare(s.issued) > 0
	}
	return held{issued: s.issued}, s.token != "" && s.token == o.Token
}, Acquire, Release, Expire)

// fenced is what [Fencing] remembers.
type fenced struct {
	issued   lease.Version // the highest token acquired
	accepted lease.Version // the highest token of a write that was accepted
	value    int
}

// Fencing is what a guarded resource gives: tokens rise from one acquiring to the next; a write is accepted under a
// token that somebody has acquired and that is no lower than any accepted before, and refused only under a lower one;
// a read returns the last write that was accepted.
var Fencing = specify("fencing", fenced{}, func(s fenced, o Operation) (fenced, bool) {
	switch {
	case o.Act == Acquire:
		return fenced{issued: o.Token, accepted: s.accepted, value: s.value}, o.Token.Compare(s.issued) > 0
	case o.Act == Read:
		return s, o.Value == s.value
	case o.Refused:
		return s, o.Token.Compare(s.accepted) < 0
	}
	next := fenced{issued: s.issued, accepted: o.Token, value: o.Value}
	return next, o.Token.Compare(s.accepted) >= 0 && o.Token.Compare(s.issued) <= 0
}, Acquire, Write, Read)

// specify makes a specification of a state, and of a step that returns the next state and whether the operation may
// happen in this one.
func specify[S comparable](name string, start S, step func(S, Operation) (S, bool), acts ...Act) Specification {
	return Specification{Name: name, acts: acts, model: porcupine.Model{
		Init: func() any { return start },
		Step: func(state, input, _ any) (bool, any) {
			next, may := step(state.(S), input.(Operation))
			return may, next
		},
		DescribeOperation: func(input, _ any) string { return input.(Operation).String() },
		DescribeState:     func(state any) string { return fmt.Sprintf("%+v", state) },
	}}
}

// Check has porcupine judge the history. The answer is porcupine.Unknown where it has found none in time.
func (s Specification) Check(operations []Operation, timeout time.Duration) porcupine.CheckResult {
	return porcupine.CheckOperationsTimeout(s.model, s.judged(operations), timeout)
}

// Draw writes a page to the path that shows the history and how far it can be explained, for a browser.
func (s Specification) Draw(operations []Operation, timeout time.Duration, path string) error {
	_, explained := porcupine.CheckOperationsVerbose(s.model, s.judged(operations), timeout)
	if err := porcupine.VisualizePath(s.model, explained, path); err != nil {
		return fmt.Errorf("draw the history: %w", err)
	}
	return nil
}

// judged returns the operations that the specification speaks of, as porcupine takes them.
func (s Specification) judged(operations []Operation) []porcupine.Operation {
	var judged []porcupine.Operation
	for _, o := range operations {
		if slices.Contains(s.acts, o.Act) {
			judged = append(judged, porcupine.Operation{ClientId: o.Client, Input: o, Call: int64(o.From), Return: int64(o.To)})
		}
	}
	return judged
}
