package webhook

import (
	"fmt"
	"strconv"
	"strings"
)

// Statuses is a set of HTTP statuses: codes such as 204, and classes such as 2xx.
type Statuses []span

type span struct{ from, to int } // both included

// ParseStatuses reads codes and classes with commas between them, such as "2xx" or "200,202". 1xx and 3xx are refused:
// the first are no answer, and a redirect that is not followed tells nobody.
func ParseStatuses(text string) (Statuses, error) {
	var all Statuses
	for part := range strings.SplitSeq(text, ",") {
		s, ok := parseSpan(strings.TrimSpace(part))
		if !ok {
			return nil, fmt.Errorf("status %q: want codes or classes of 2xx, 4xx or 5xx with commas between them, such as 2xx or 200,204", part)
		}
		all = append(all, s)
	}
	return all, nil
}

func parseSpan(text string) (span, bool) {
	class, isClass := strings.CutSuffix(text, "xx")
	n, err := strconv.Atoi(class)
	s := span{n, n}
	if isClass {
		s = span{n * 100, n*100 + 99}
	}
	ok := err == nil && n <= 599 && s.from >= 200 && s.to <= 599 && s.from/100 != 3
	return s, ok
}

// Include reports whether the set has the status.
func (s Statuses) Include(status int) bool {
	for _, span := range s {
		if span.from <= status && status <= span.to {
			return true
		}
	}
	return false
}

// String prints the set as [ParseStatuses] reads it.
func (s Statuses) String() string {
	var parts []string
	for _, span := range s {
		if span.from == span.to {
			parts = append(parts, strconv.Itoa(span.from))
		} else {
			parts = append(parts, strconv.Itoa(span.from/100)+"xx")
		}
	}
	return strings.Join(parts, ",")
}
