//go:build linux

package lab

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"

	"github.com/lease-sidecar/lease-sidecar/test/harness"
)

// Images are the images of the nodes, by the names that pods use.
type Images struct {
	// Sidecar is what the Dockerfile makes, under the name that the examples use.
	Sidecar string
	// Workload is the program of test/workload/program.
	Workload string
	// Shell has busybox, under the name that the examples use. It is Debian's, which lacks flock: that is util-linux's.
	Shell string
	// Pause keeps a pod's namespaces open.
	Pause string
	// Archive is the file with the sidecar's image that containerd imports.
	Archive string

	archives []string
}

// images are the names, but for the sidecar's. The examples' are theirs, so that a manifest runs as it stands.
var images = Images{
	Workload: "localhost/workload:1",
	Shell:    "docker.io/library/busybox:1.37.0",
	Pause:    "localhost/pause:1",
}

// scratch begins an image for a processor. Without the label, buildah would take the layers of another processor's.
func scratch(processor string) string { return "FROM scratch\nLABEL processor=" + processor + "\n" }

// busybox is an image with a shell.
func busybox(processor string) string {
	return scratch(processor) + "COPY --chmod=755 busybox /bin/busybox\n" +
		`RUN ["/bin/busybox", "sh", "-c", "/bin/busybox mkdir -p /tmp /root && /bin/busybox chmod 1777 /tmp && /bin/busybox --install -s /bin"]` +
		"\nENV PATH=/bin\nCMD [\"sh\"]\n"
}

// busyboxFile is Debian's, which needs no library.
const busyboxFile = "/bin/busybox"

// flockFile is util-linux's. Debian's busybox has no such applet, as the image of that name has.
const flockFile = "/usr/bin/flock"

// shellImage makes the image of the examples: busybox, and flock with the libraries that it needs, in their places.
func (b *Builder) shellImage() error {
	needed, err := exec.Command("ldd", flockFile).Output()
	if err != nil {
		return fmt.Errorf("find the libraries of %s: %w", flockFile, err)
	}
	dockerfile, files := busybox(runtime.GOARCH)+"COPY --chmod=755 flock /bin/flock\n", map[string]string{"busybox": busyboxFile, "flock": flockFile}
	for field := range strings.FieldsSeq(string(needed)) {
		if !strings.HasPrefix(field, "/") {
			continue
		}
		files[filepath.Base(field)] = field
		dockerfile += "COPY --chmod=755 " + filepath.Base(field) + " " + field + "\n"
	}
	return b.fromFiles(images.Shell, runtime.GOARCH, dockerfile, files)
}

var sidecarImage = regexp.MustCompile(`image: (\S*lease-sidecar:\S+)`)

// exampleImage is the sidecar's image in the examples: one that users build, or that of a release. A name without a registry is the
// Docker Hub's.
func exampleImage() (string, error) {
	root, err := harness.ModulePath()
	if err != nil {
		return "", err
	}
	manifest, err := os.ReadFile(filepath.Join(root, "examples", "manifests", "web.yaml"))
	if err != nil {
		return "", err
	}
	m := sidecarImage.FindSubmatch(manifest)
	if m == nil {
		return "", errors.New("examples/manifests/web.yaml names no image of lease-sidecar")
	}
	if name := string(m[1]); strings.Contains(name, "/") {
		return name, nil
	}
	return "docker.io/library/" + string(m[1]), nil
}

// nodeImages builds all images of the nodes.
func (b *Builder) nodeImages() (Images, error) {
	workload, pause, err := harness.ImagePrograms()
	if err != nil {
		return Images{}, err
	}
	all := images
	if all.Sidecar, err = exampleImage(); err != nil {
		return Images{}, err
	}
	const program = "FROM scratch\nCOPY --chmod=755 program /program\nUSER 65532\nENTRYPOINT [\"/program\"]\n"
	if err := errors.Join(
		b.Sidecar(all.Sidecar, runtime.GOARCH),
		b.shellImage(),
		b.fromFiles(images.Workload, runtime.GOARCH, program, map[string]string{"program": workload}),
		b.fromFiles(images.Pause, runtime.GOARCH, program, map[string]string{"program": pause}),
	); err != nil {
		return Images{}, err
	}
	for _, name := range []string{all.Sidecar, all.Workload, all.Shell, all.Pause} {
		archive, err := b.export(name)
		if err != nil {
			return Images{}, err
		}
		all.archives = append(all.archives, archive)
	}
	all.Archive = all.archives[0]
	return all, nil
}
