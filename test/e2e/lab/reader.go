//go:build linux

package lab

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"k8s.io/client-go/tools/clientcmd"
)

// Reader returns the environment of somebody who follows a page with a cluster at hand: kubectl, whose context has that namespace, and
// docker and kind. These two are not there, as nothing can be pulled and the nodes are no containers: scripts take the same
// commands, build by buildah from the same Dockerfile, and import the image into each node's containerd.
func (l *Lab) Reader(t testing.TB, namespace string) []string {
	t.Helper()
	folder := t.TempDir()
	config, err := clientcmd.LoadFromFile(l.kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	for _, context := range config.Contexts {
		context.Namespace = namespace
	}
	kubeconfig := filepath.Join(folder, "config")
	if err := clientcmd.WriteToFile(*config, kubeconfig); err != nil {
		t.Fatal(err)
	}
	build, err := l.Builder.forDockerfile(runtime.GOARCH)
	if err != nil {
		t.Fatal(err)
	}
	archive := filepath.Join(folder, "image.tar")
	var imports strings.Builder
	for _, n := range l.Nodes {
		fmt.Fprintf(&imports, "%s images import %s\n", quoted(n.ctr()), archive)
	}
	buildah := "TMPDIR=" + folder + " BUILDAH_ISOLATION=chroot buildah " + quoted(l.Builder.store())
	for name, script := range map[string]string{
		// It fails now and then: see busyCopy.
		"docker": `[ "$1" = build ] || { echo "docker $1 is not there" >&2; exit 2; }; shift` + "\n" +
			"for try in 1 2 3; do " + buildah + " build " + quoted(build) + ` "$@" && exit; done; exit 1`,
		"kind": `[ "$1 $2" = "load docker-image" ] || { echo "kind $* is not there" >&2; exit 2; }` + "\n" +
			buildah + ` push "$3" "docker-archive:` + archive + `:docker.io/library/$3"` + "\n" + imports.String(),
	} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte("#!/bin/sh\nset -e\n"+script+"\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return []string{
		"HOME=" + folder, "KUBECONFIG=" + kubeconfig, "LANG=C.UTF-8",
		"PATH=" + strings.Join([]string{folder, l.tools.cluster, os.Getenv("PATH")}, ":"),
	}
}

// quoted is a command line for a shell.
func quoted(args []string) string {
	all := make([]string, len(args))
	for i, a := range args {
		all[i] = "'" + strings.ReplaceAll(a, "'", `'\''`) + "'"
	}
	return strings.Join(all, " ")
}
