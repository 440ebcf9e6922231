package httpapi

import (
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/lease-sidecar/lease-sidecar/internal/address"
)

// What to do about an address that cannot be bound fits the fault, and no other hint is given.
func TestBindHints(t *testing.T) {
	taken, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct{ address, want, never string }{
		"a port that is taken":     {taken.Addr().String(), "hostNetwork", "interface"},
		"an address of nobody":     {"192.0.2.1:0", "no interface here has that address", "hostNetwork"},
		"a directory not there":    {"unix:" + dir + "/none/s", "make the directory first", "hostNetwork"},
		"a file in the way":        {"unix:" + file, "is not a socket", "hostNetwork"},
		"a file for a directory":   {"unix:" + file + "/s", "not a directory", "hostNetwork"},
		"a socket that is no file": {"unix:@x", "abstract socket", "hostNetwork"},
	} {
		t.Run(name, func(t *testing.T) {
			l, err := Listen(tc.address, slog.New(slog.DiscardHandler))
			if err == nil {
				l.Close()
				t.Fatal("it was bound")
			}
			if !strings.Contains(err.Error(), tc.want) || strings.Contains(err.Error(), tc.never) {
				t.Errorf("got %q; want it to say %q, and not %q", err, tc.want, tc.never)
			}
		})
	}
	if hint := bindHint(address.Address{Port: "80"}, syscall.EACCES); !strings.Contains(hint, "below 1024") {
		t.Errorf("a privileged port: %q", hint)
	}
	if hint := bindHint(address.Address{Port: "8080"}, syscall.EACCES); hint != "" {
		t.Errorf("a port that needs no privilege: %q", hint)
	}
}
