//go:build linux

package footprint

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseMappings(t *testing.T) {
	got, err := parseMappings(strings.NewReader(`00400000-00bc3000 r-xp 00000000 08:01 42                         /lease-sidecar
Size:               7948 kB
Rss:                6924 kB
Anonymous:             0 kB
VmFlags: rd ex mr mw me
00bc3000-01481000 r--p 007c3000 08:01 42                         /lease-sidecar
Anonymous:            16 kB
01481000-0150d000 rw-p 01081000 08:01 42                         /lease-sidecar
Anonymous:             0 kB
c000000000-c000800000 rw-p 00000000 00:00 0 
Anonymous:          3100 kB
7ffe00000000-7ffe00001000 r--p 00000000 00:00 0                  [vvar]
`))
	if err != nil {
		t.Fatal(err)
	}
	want := []mapping{
		{from: 0x400000, to: 0xbc3000, file: "/lease-sidecar"},
		{from: 0xbc3000, to: 0x1481000, file: "/lease-sidecar", anonymous: true},
		{from: 0x1481000, to: 0x150d000, writable: true, file: "/lease-sidecar"},
		{from: 0xc000000000, to: 0xc000800000, writable: true, anonymous: true},
		{from: 0x7ffe00000000, to: 0x7ffe00001000, file: "[vvar]", anonymous: true},
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(mapping{})); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}
