//go:build linux

package lab

import (
	"bufio"
	"cmp"
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
	"github.com/lease-sidecar/lease-sidecar/test/harness"
)

// Line is one line that a program printed.
type Line struct {
	// Pod is the program's.
	Pod string
	// At is when the container runtime got the line, by the wall clock.
	At time.Time
	// Text is the line without its end.
	Text string
}

// Transcript is what the programs of the pods print, also of those that are gone by now.
type Transcript struct {
	lab                            *Lab
	t                              testing.TB
	namespace, selector, container string

	reads sync.WaitGroup
	mu    sync.Mutex
	lines []Line
}

// failedLines is how many lines of it are shown where the test has failed.
const failedLines = 40

// Listen begins to read the logs of a container in all pods that a selector ("app=web") selects. It ends with the test.
func (l *Lab) Listen(t testing.TB, namespace, selector, container string) *Transcript {
	t.Helper()
	tr := &Transcript{lab: l, t: t, namespace: namespace, selector: selector, container: container}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	tr.reads.Go(func() { tr.find(ctx) })
	t.Cleanup(func() {
		cancel()
		tr.reads.Wait()
		if t.Failed() {
			lines := tr.Lines()
			for _, line := range lines[max(0, len(lines)-failedLines):] {
				t.Logf("%s %s: %s", line.At.Format("15:04:05.000"), line.Pod, line.Text)
			}
		}
	})
	return tr
}

// find follows each pod that is new.
func (tr *Transcript) find(ctx context.Context) {
	seen := map[string]bool{}
	for tick := time.NewTicker(podLook); ; {
		if list, err := tr.lab.Admin.CoreV1().Pods(tr.namespace).List(ctx, metav1.ListOptions{LabelSelector: tr.selector}); err == nil {
			for i := range list.Items {
				p := &list.Items[i]
				if !seen[string(p.UID)] {
					seen[string(p.UID)] = true
					tr.reads.Go(func() { tr.follow(ctx, p) })
				}
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			tick.Stop()
			return
		}
	}
}

// follow reads the log of a pod until the pod is gone. A log that has ended is read again, as the container may have been started again.
func (tr *Transcript) follow(ctx context.Context, pod *corev1.Pod) {
	known := map[string]bool{} // lines with their times, which have nanoseconds
	for ctx.Err() == nil {
		tr.read(ctx, pod.Name, known)
		p, err := tr.lab.Admin.CoreV1().Pods(tr.namespace).Get(ctx, pod.Name, metav1.GetOptions{})
		if apierrors.IsNotFound(err) || err == nil && p.UID != pod.UID {
			return
		}
		select {
		case <-time.After(podLook):
		case <-ctx.Done():
		}
	}
}

// read reads the log of a pod to its end, as far as it is new.
func (tr *Transcript) read(ctx context.Context, pod string, known map[string]bool) {
	options := &corev1.PodLogOptions{Container: tr.container, Follow: true, Timestamps: true}
	stream, err := tr.lab.Admin.CoreV1().Pods(tr.namespace).GetLogs(pod, options).Stream(ctx)
	if err != nil {
		return // the container has not begun
	}
	defer func() { _ = stream.Close() }()
	for lines := bufio.NewScanner(stream); lines.Scan(); {
		stamp, text, _ := strings.Cut(lines.Text(), " ")
		at, err := time.Parse(time.RFC3339Nano, stamp)
		if err != nil || known[lines.Text()] {
			continue
		}
		known[lines.Text()] = true
		tr.mu.Lock()
		tr.lines = append(tr.lines, Line{Pod: pod, At: at, Text: text})
		tr.mu.Unlock()
	}
}

// Lines returns all lines so far, by their time.
func (tr *Transcript) Lines() []Line {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	return slices.SortedStableFunc(slices.Values(tr.lines), func(a, b Line) int { return a.At.Compare(b.At) })
}

// works is how the examples' programs say that they work.
var works = regexp.MustCompile(`with token (\d+)$`)

// Terms returns the work that programs have printed, "works with token 48213": a term for each pod and token, from its first such line to its last, by its
// start. The times are of the wall clock.
func (tr *Transcript) Terms() (terms []harness.Term) {
	for _, line := range tr.Lines() {
		m := works.FindStringSubmatch(line.Text)
		if m == nil {
			continue
		}
		at := bootclock.Instant(line.At.UnixNano())
		i := slices.IndexFunc(terms, func(t harness.Term) bool { return t.Replica == line.Pod && t.Token == m[1] })
		if i < 0 {
			terms = append(terms, harness.Term{Replica: line.Pod, Channel: "log", Token: m[1], From: at, To: at})
			continue
		}
		terms[i].To = at
	}
	return terms
}

// AwaitTerm waits until there is the term of a pod that had none of these tokens, and returns the newest such.
func (tr *Transcript) AwaitTerm(bound time.Duration, but ...string) (term harness.Term) {
	tr.t.Helper()
	harness.Eventually(tr.t, bound, fmt.Sprintf("a program works, by another token than %v", but), func() bool {
		terms := slices.DeleteFunc(tr.Terms(), func(t harness.Term) bool { return slices.Contains(but, t.Token) })
		if len(terms) > 0 {
			term = terms[len(terms)-1]
		}
		return len(terms) > 0
	})
	return term
}

// Verdict fails the test where two pods worked at once by what they printed, or where a token did not rise. It returns the number of terms.
func (tr *Transcript) Verdict() int {
	tr.t.Helper()
	terms := tr.Terms()
	for _, o := range harness.Overlaps(terms) {
		tr.t.Errorf("two worked at once: %v", o)
	}
	for i := 1; i < len(terms); i++ {
		before, after := terms[i-1], terms[i]
		if cmp.Or(cmp.Compare(len(before.Token), len(after.Token)), cmp.Compare(before.Token, after.Token)) >= 0 {
			tr.t.Errorf("%s worked with token %s after %s had worked with token %s", after.Replica, after.Token, before.Replica, before.Token)
		}
	}
	return len(terms)
}
