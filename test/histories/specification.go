package histories

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/lease-sidecar/lease-sidecar/pkg/lease"
)

// Specification says which histories are right: those that a single worker could have made, one operation at a time.
type Specification struct {
	// Name is for messages.
	Name string

	acts  []Act // the kinds that it judges
	model porcupine.Model
}

// held is the state of [Lock].
type held struct {
	token  lease.Version // of the holder; "" while free
	issued lease.Version // the highest token so far
	lapsed int           // the client, counted from 1, whose document of that token ran out, and may still be renewed; 0: none
}

// Lock is the election's promise: leadership is acquired only while nobody has it, under a token higher than all
// before, and only its holder gives it up, or runs out of it. A term whose document ran out may go on once the document is renewed, by
// a sidecar that was frozen for example, as long as nobody else has led.
var Lock = specify("lock", held{}, func(s held, o Operation) (held, bool) {
	next := held{issued: s.issued}
	switch o.Act {
	case Acquire:
		next.token, next.issued = o.Token, o.Token
		renewed := o.Token == s.issued && s.lapsed == o.Client+1
		return next, s.token == "" && (renewed || o.Token.Compare(s.issued) > 0)
	case Expire:
		next.lapsed = o.Client + 1
	}
	return next, s.token != "" && s.token == o.Token
}, Acquire, Release, Expire)

// fenced is the state of [Fencing].
type fenced struct {
	issued   lease.Version // the highest token acquired
	accepted lease.Version // the highest token of a write that was accepted
	value    int
}

// Fencing is what a guarded resource gives: tokens never fall from one term to the next; a write is accepted under a
// token that somebody has acquired and that is no lower than any accepted before, and refused only under a lower one;
// a read returns the last write that was accepted.
var Fencing = specify("fencing", fenced{}, func(s fenced, o Operation) (fenced, bool) {
	switch {
	case o.Act == Acquire:
		return fenced{issued: o.Token, accepted: s.accepted, value: s.value}, o.Token.Compare(s.issued) >= 0
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

// judged returns the operations that the specification judges, as porcupine takes them.
func (s Specification) judged(operations []Operation) []porcupine.Operation {
	var judged []porcupine.Operation
	for _, o := range operations {
		if slices.Contains(s.acts, o.Act) {
			judged = append(judged, porcupine.Operation{ClientId: o.Client, Input: o, Call: int64(o.From), Return: int64(o.To)})
		}
	}
	return judged
}

// Patience is how long one history may be judged. Those of this suite take milliseconds: who needs it all has met an
// order that cannot be decided, and that counts as a failure.
const Patience = 30 * time.Second

// WantKept fails the test where the history is not what the specification allows, and says where it is drawn. flags
// are those that play it again.
func WantKept(t *testing.T, s Specification, operations []Operation, flags string) {
	t.Helper()
	if Judge(t, s, operations) {
		return
	}
	page, err := draw(t, s, operations)
	if err != nil {
		page = err.Error()
	}
	t.Errorf("the %s specification is violated: %s shows where (play it again with %s)", s.Name, page, flags)
}

// Judge reports whether the history is what the specification allows. It ends the test where that could not be
// decided.
func Judge(t *testing.T, s Specification, operations []Operation) bool {
	t.Helper()
	result := s.Check(operations, Patience)
	if result == porcupine.Unknown {
		t.Fatalf("the %s specification: %d operations not judged within %v", s.Name, len(operations), Patience)
	}
	return result == porcupine.Ok
}

// draw returns the path of a page, for a browser, that shows the history and how far it can be explained. It lies among the
// test's artifacts where go test keeps them (-artifacts), and else in a directory of its own, which stays.
func draw(t *testing.T, s Specification, operations []Operation) (string, error) {
	dir := t.ArtifactDir()
	if kept := flag.Lookup("test.artifacts"); kept == nil || kept.Value.String() != "true" {
		var err error
		if dir, err = os.MkdirTemp("", "lease-sidecar-history-"); err != nil {
			return "", fmt.Errorf("make a directory for the drawing: %w", err)
		}
	}
	file, err := os.CreateTemp(dir, s.Name+"-*.html")
	if err != nil {
		return "", fmt.Errorf("make a file for the drawing: %w", err)
	}
	defer file.Close()
	_, explained := porcupine.CheckOperationsVerbose(s.model, s.judged(operations), Patience)
	if err := porcupine.Visualize(s.model, explained, file); err != nil {
		return "", fmt.Errorf("draw the history: %w", err)
	}
	return file.Name(), nil
}
