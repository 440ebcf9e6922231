//go:build linux

package harness

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// Snapshot is a copy of all that etcd held at one instant.
type Snapshot struct{ dir string }

// etcdDir is where etcd keeps its data.
func (c *Cluster) etcdDir() string { return filepath.Join(c.dir, "etcd") }

func (c *Cluster) startEtcd() (err error) {
	client, peer := "http://127.0.0.1:"+c.etcdPort, "http://127.0.0.1:"+c.peerPort
	c.etcd, err = launch("etcd", filepath.Join(c.dir, "etcd.log"), nil, filepath.Join(c.binaries, "etcd"), []string{
		"--name=e", "--data-dir=" + c.etcdDir(), "--log-level=warn", fmt.Sprintf("--unsafe-no-fsync=%v", !c.durable),
		"--listen-client-urls=" + client, "--advertise-client-urls=" + client,
		"--listen-peer-urls=" + peer, "--initial-advertise-peer-urls=" + peer, "--initial-cluster=e=" + peer,
	}, os.Environ())
	return err
}

// KillEtcd ends etcd at once, as a crash of its process does: what it has answered is on its disk.
func (c *Cluster) KillEtcd(testing.TB) { c.etcd.Stop(0) }

// RestartEtcd starts etcd again on its address and data, and waits until the API server is ready again.
func (c *Cluster) RestartEtcd(t testing.TB) {
	t.Helper()
	err := c.startEtcd()
	if err == nil {
		err = c.waitReady(t.Context())
	}
	if err != nil {
		t.Fatal(err)
	}
}

// Snapshot copies etcd's data. Etcd is down for a moment meanwhile, and the API server ready again at the return.
func (c *Cluster) Snapshot(t testing.TB) *Snapshot {
	t.Helper()
	s := &Snapshot{dir: filepath.Join(t.TempDir(), "snapshot")}
	c.etcd.Stop(10 * time.Second)
	if err := os.CopyFS(s.dir, os.DirFS(c.etcdDir())); err != nil {
		t.Fatalf("copy etcd's data: %v", err)
	}
	c.RestartEtcd(t)
	return s
}

// Restore puts etcd's data back to a snapshot, its numbering too, as a restore without --bump-revision does. The
// API server and etcd are stopped for it, and ready again at the return.
func (c *Cluster) Restore(t testing.TB, s *Snapshot) {
	t.Helper()
	c.Stop()
	err := os.RemoveAll(c.etcdDir())
	if err == nil {
		err = os.CopyFS(c.etcdDir(), os.DirFS(s.dir))
	}
	if err == nil {
		err = os.Chmod(c.etcdDir(), 0o700) // etcd asks for it
	}
	if err != nil {
		t.Fatal(fmt.Errorf("put etcd's data back: %w", err))
	}
	if err := c.startEtcd(); err != nil {
		t.Fatal(err)
	}
	c.RestartAPI(t)
}
