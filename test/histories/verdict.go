package histories

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
)

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

// draw returns the path of a page that shows what is wrong. It lies among the test's artifacts where go test keeps
// them (-artifacts), and else in a directory of its own, which stays.
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
	path := filepath.Join(dir, filepath.Base(file.Name()))
	return path, s.Draw(operations, Patience, path)
}
