//go:build linux

package sidecar

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/lease-sidecar/lease-sidecar/internal/guard/guardtest"
	"github.com/lease-sidecar/lease-sidecar/pkg/leadership"
	"github.com/lease-sidecar/lease-sidecar/pkg/naming"
)

// TestWishWithoutMembership: a leader that knows no members answers a wish for another leader, too, and leads on.
func TestWishWithoutMembership(t *testing.T) {
	cfg, _ := testConfig(t)
	cfg.Store.Dir = filepath.Join(t.TempDir(), "store")
	s, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	var running sync.WaitGroup
	defer running.Wait()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	running.Go(func() {
		if err := s.Run(ctx, nil); err != nil {
			t.Errorf("it ended with %v", err)
		}
	})
	leads := func() bool {
		l, err := leadership.Read(cfg.SignalDir)
		return err == nil && l.IsLeader
	}
	guardtest.Within(t, "it leads", leads)
	path := filepath.Join(cfg.Store.Dir, "default.web.json")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	edited := strings.Replace(string(text), `"annotations": {`, `"annotations": {"`+naming.AnnotationPreferredHolder+`": "web-b",`, 1)
	if err := os.WriteFile(path, []byte(edited), 0o600); err != nil {
		t.Fatal(err)
	}
	guardtest.Within(t, "the wish is answered", func() bool {
		text, err := os.ReadFile(path)
		return err == nil && !strings.Contains(string(text), naming.AnnotationPreferredHolder+`"`) &&
			strings.Contains(string(text), naming.AnnotationPreferredHolderAnswer+`": "web-b: the leader knows no members`)
	})
	if !leads() {
		t.Error("it does not lead any more")
	}
}
