//go:build linux

package leadership

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
)

// FuzzRead lays bytes into a signal directory, as a file, behind a link, or beside a pipe of that name, and reads them as
// a workload does: it leads only by a whole document of this boot, before its end, in a plain file.
func FuzzRead(f *testing.F) {
	const now = int64(812345678900)
	for _, tc := range documents {
		f.Add([]byte(tc.text), now, uint8(0))
		f.Add([]byte(tc.text), now+1, uint8(0))
		f.Add([]byte(strings.Replace(tc.text, boot, "another", 1)), now, uint8(0))
		f.Add([]byte(tc.text[:len(tc.text)-9]), now, uint8(1))
	}
	f.Add([]byte(documents["leading"].text), now, uint8(1))
	f.Add([]byte(strings.Replace(documents["leading"].text, `"48213"`, `""`, 1)), now, uint8(0))
	f.Add([]byte(strings.Replace(documents["leading"].text, `"812345678901"`, `null`, 1)), now, uint8(0))
	f.Add([]byte{}, now, uint8(2))
	f.Add([]byte{}, now, uint8(3))
	f.Add([]byte(documents["leading"].text+strings.Repeat(" ", DocumentMax)), now, uint8(0))
	f.Fuzz(func(t *testing.T, content []byte, now int64, kind uint8) {
		var l Leadership
		known := json.Unmarshal(content, &l) == nil
		if known && l.At(l.ValidUntil).IsLeader {
			t.Fatalf("%s leads at its end", content)
		}
		got, err := read(lay(t, content, kind), stopped(bootclock.Instant(now)), boot)
		if err != nil {
			if got != (Leadership{}) {
				t.Fatalf("%v, and yet %+v", err, got)
			}
			if known && kind%4 == 0 && len(content) <= DocumentMax {
				t.Fatalf("a document of %d bytes cannot be read: %v", len(content), err)
			}
			return
		}
		if !known || kind%4 != 0 {
			t.Fatalf("%.80q in a file of kind %d reads as %+v", content, kind%4, got)
		}
		checkLeader(t, content, got, now)
	})
}

// lay makes a directory with the bytes in its state file: plain (0), behind a link (1), nowhere, where a pipe is (2) or
// a directory (3).
func lay(t *testing.T, content []byte, kind uint8) string {
	t.Helper()
	dir := t.TempDir()
	path := filepath.Join(dir, StateFile)
	var err error
	switch kind % 4 {
	case 0:
		err = os.WriteFile(path, content, 0o600)
	case 1:
		err = os.WriteFile(path+".far", content, 0o600)
		if err == nil {
			err = os.Symlink(path+".far", path)
		}
	case 2:
		err = unix.Mkfifo(path, 0o600)
	case 3:
		err = os.Mkdir(path, 0o700)
	}
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// checkLeader takes the document apart by other means.
func checkLeader(t *testing.T, content []byte, got Leadership, now int64) {
	t.Helper()
	if !got.IsLeader {
		if got.Token != "" || !got.Since.IsZero() {
			t.Fatalf("%s reads as a standby with a token: %+v", content, got)
		}
		return
	}
	if got.Token == "" || strings.Trim(got.Token, "0123456789") != "" || got.BootID != boot || int64(got.ValidUntil) <= now {
		t.Fatalf("at %d %s leads: %+v", now, content, got)
	}
	for _, must := range []string{"true", boot, got.Token, got.ValidUntil.String()} {
		if !strings.Contains(string(content), must) && !strings.ContainsAny(string(content), `\+`) {
			t.Fatalf("%s leads, and says nothing of %s", content, must)
		}
	}
}
