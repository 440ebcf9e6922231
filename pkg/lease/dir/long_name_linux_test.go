package dir

import (
	"log/slog"
	"strings"
	"testing"

	"github.com/lease-sidecar/lease-sidecar/pkg/lease"
	"github.com/lease-sidecar/lease-sidecar/pkg/naming"
)

// Every name that Kubernetes takes can be campaigned for, the longest namespace with it.
func TestLongNames(t *testing.T) {
	label := strings.Repeat("a", 63)
	for _, last := range []string{"b", "c"} {
		name, err := naming.ParseLeaseName(strings.Repeat(label+".", 3) + strings.Repeat("a", 60) + last)
		if err != nil {
			t.Fatal(err)
		}
		s, err := New(t.TempDir(), label, string(name), slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Create(t.Context(), lease.Record{}); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Get(t.Context()); err != nil {
			t.Error(err)
		}
	}
}
