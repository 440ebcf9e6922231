package leadership_test

import (
	"encoding/json"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
	"github.com/lease-sidecar/lease-sidecar/pkg/leadership"
	"github.com/lease-sidecar/lease-sidecar/pkg/leadership/leadershiptest"
)

// A worker asks before each piece of work, and gives the token to what it writes to.
func ExampleRead() {
	dir := signalDir() // in a pod the directory that the sidecar and this container share
	defer os.RemoveAll(dir)
	l, err := leadership.Read(dir)
	if err != nil || !l.IsLeader {
		fmt.Println("not leading")
		return
	}
	fmt.Println("leading with token", l.Token)
	// Output: leading with token 48213
}

// Where nothing is known, nobody leads.
func ExampleRead_failsClosed() {
	l, err := leadership.Read("/no/such/directory")
	fmt.Println(l.IsLeader, err != nil)
	// Output: false true
}

// The same value is judged again before each use: it ends by the clock alone.
func ExampleLeadership_At() {
	clock := bootclock.System{}
	l := leadershiptest.Leading(clock, "48213")
	fmt.Println(l.At(clock.Now()).IsLeader, l.At(l.ValidUntil).IsLeader)
	// Output: true false
}

// signalDir returns a directory with the document of a leader.
func signalDir() string {
	dir, err := os.MkdirTemp("", "signals")
	if err != nil {
		log.Fatal(err)
	}
	l := leadershiptest.Leading(bootclock.System{}, "48213")
	if l.BootID, err = bootclock.ID(); err != nil {
		log.Fatal(err)
	}
	document, err := json.Marshal(l)
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, leadership.StateFile), document, 0o600)
	}
	if err != nil {
		log.Fatal(err)
	}
	return dir
}
