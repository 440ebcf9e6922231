package elector

import (
	"encoding/json"
	"fmt"
	"hash/crc32"
	"testing"
	"time"

	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
	"github.com/lease-sidecar/lease-sidecar/pkg/leadership"
)

// FuzzHold reads hold files: whatever bytes lie there, a term is resumed only from a whole one of this boot, candidate and
// file, and nothing of it is published before the Lease has been read.
func FuzzHold(f *testing.F) {
	whole := HoldState{
		UID: "u1", AcquireTime: transcriptEpoch, Token: "77", Transitions: 4, Since: transcriptEpoch, Leading: true,
		ValidUntil: bootclock.Instant(transcriptBoot + 9*time.Second),
	}
	b, err := encodeHold(holdRecord{BootID: "boot", HoldKey: someKey, fileID: someFile, HoldState: whole})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b, false)
	f.Add(b[9:len(b)-1], true)
	const ours = `{"bootID":"boot","namespace":"default","lease":"acme-1","store":"here","identity":"web-0_pod","device":1,"inode":2,`
	f.Add([]byte(ours+`"uid":"u1","validUntil":1009000000000,"leading":true}`), true)
	f.Add([]byte(ours+`"leading":true,"validUntil":-1}`), true)
	f.Add([]byte("null"), true)
	f.Fuzz(func(t *testing.T, b []byte, seal bool) {
		if seal { // no fuzzer guesses a checksum
			b = fmt.Appendf(nil, "%08x %s\n", crc32.ChecksumIEEE(b), b)
		}
		h, ok := decodeHold(b, "boot", someKey, someFile)
		if !ok {
			if h != (HoldState{}) {
				t.Fatalf("a refusal came with %+v", h)
			}
			return
		}
		if _, ok := decodeHold(b, "another boot", someKey, someFile); ok {
			t.Fatalf("%q is of two boots", b)
		}
		if _, ok := decodeHold(b, "boot", HoldKey{}, someFile); ok {
			t.Fatalf("%q is of two candidates", b)
		}
		if _, ok := decodeHold(b, "boot", someKey, fileID{}); ok {
			t.Fatalf("%q is of two files", b)
		}
		resume(t, h)
	})
}

// resume starts a candidate from the hold, and judges what it tells before it has read the Lease, and at the hold's end.
func resume(t *testing.T, h HoldState) {
	m := newMachine(configured("web-0_pod"), "boot", &h, func() float64 { return 0.5 })
	for _, now := range []bootclock.Instant{bootclock.Instant(transcriptBoot), h.ValidUntil} {
		if now <= 0 {
			continue
		}
		out, err := m.step(moment{boot: now, wall: transcriptEpoch}, tick{})
		if err != nil {
			t.Fatal(err)
		}
		if out.leadership == nil {
			continue
		}
		l := *out.leadership
		if l.IsLeader {
			t.Fatalf("at %v it leads by the hold %+v alone", now, h)
		}
		if now < bootclock.Instant(transcriptBoot+time.Hour) {
			readable(t, l)
		}
	}
}

// readable fails where readers would refuse the document.
func readable(t *testing.T, l leadership.Leadership) {
	t.Helper()
	document, err := json.Marshal(l)
	if err != nil {
		t.Fatalf("print %+v: %v", l, err)
	}
	var back leadership.Leadership
	if err := json.Unmarshal(document, &back); err != nil {
		t.Fatalf("readers refuse %s: %v", document, err)
	}
}
