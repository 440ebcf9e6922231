//go:build linux

package lab

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
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

// Stand-ins for the images that the Dockerfile begins with, as nothing can be pulled here: one with a shell, into which this machine's
// Go is mounted, and one with what distroless has of use for a static program. There is one of each for each processor, with the same
// in it: Debian's buildah looks for the target's, whatever FROM says of the platform to build on.
const (
	goStandIn   = "localhost/golang:"
	baseStandIn = "localhost/static:"
)

// Processors are those that images are built for.
var Processors = []string{"amd64", "arm64"}

// fetchModules brings the product's modules into the module cache. It runs on the host, which has a network.
func fetchModules() error {
	root, err := harness.ModulePath()
	if err != nil {
		return err
	}
	cmd := exec.Command("go", "mod", "download")
	cmd.Dir = root
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("fetch the product's modules: %w\n%s", err, out)
	}
	return nil
}

// Builder builds images by buildah, with a store that is kept from run to run.
type Builder struct {
	dir  string // of this run
	home string // of all runs
}

// newBuilder returns one with the stand-ins in its store, whose files are in dir.
func newBuilder(dir string) (*Builder, error) {
	top, err := home()
	if err != nil {
		return nil, err
	}
	b := &Builder{dir: filepath.Join(dir, "images"), home: top}
	if err := os.MkdirAll(b.dir, 0o755); err != nil {
		return nil, err
	}
	for _, p := range Processors {
		if err := errors.Join(b.goImage(p), b.baseImage(p)); err != nil {
			return nil, err
		}
	}
	return b, nil
}

// busyCopy is how buildah fails where the kernel still writes the copy of itself that it has made to execute. It happens now and then.
const busyCopy = "sealing memfd copy: Device or resource busy"

// buildah runs a subcommand on the store.
func (b *Builder) buildah(sub string, args ...string) (out string, err error) {
	for range 5 {
		if out, err = b.buildahOnce(sub, args...); err == nil || !strings.Contains(err.Error(), busyCopy) {
			break
		}
	}
	return out, err
}

// store are the arguments that name the store.
func (b *Builder) store() []string {
	return []string{"--root", filepath.Join(b.home, "buildah"), "--runroot", "/run/buildah", "--storage-driver", "overlay"}
}

func (b *Builder) buildahOnce(sub string, args ...string) (string, error) {
	cmd := exec.Command("buildah", slices.Concat(b.store(), []string{sub}, args)...)
	cmd.Env = append(os.Environ(), "BUILDAH_ISOLATION=chroot", "TMPDIR="+b.dir)
	var warnings strings.Builder
	cmd.Stderr = &warnings
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("buildah %s: %w\n%s%s", sub, err, out, warnings.String())
	}
	return strings.TrimSpace(string(out)), nil
}

// fromFiles makes an image from a Dockerfile's text and files, by their paths in the context.
func (b *Builder) fromFiles(name, processor, dockerfile string, files map[string]string) error {
	from, err := os.MkdirTemp(b.dir, "context-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(from) }()
	if err := os.WriteFile(filepath.Join(from, "Dockerfile"), []byte(dockerfile), 0o600); err != nil {
		return err
	}
	for path, source := range files {
		if err := copyProgram(source, filepath.Join(from, path)); err != nil {
			return err
		}
	}
	_, err = b.buildah("build", "--layers", "--pull-never", "--platform", "linux/"+processor, "--timestamp", "0", "--tag", name, from)
	return err
}

func copyProgram(from, to string) error {
	source, err := os.Open(from)
	if err != nil {
		return fmt.Errorf("open a file for an image (.ci/prerequisites e2e installs it): %w", err)
	}
	defer func() { _ = source.Close() }()
	target, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY, 0o755)
	if err != nil {
		return err
	}
	_, err = io.Copy(target, source)
	return errors.Join(err, target.Close())
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

// goImage makes the stand-in for the image that the binary is built on.
func (b *Builder) goImage(processor string) error {
	golang := busybox(processor) + "ENV PATH=/usr/local/go/bin:/bin GOPATH=/go GOTOOLCHAIN=local GOPROXY=off HOME=/root\n"
	return b.fromFiles(goStandIn+processor, processor, golang, map[string]string{"busybox": busyboxFile})
}

// baseImage makes the stand-in for the image that the binary is put on.
func (b *Builder) baseImage(processor string) error {
	files := map[string]string{"ca-certificates.crt": "/etc/ssl/certs/ca-certificates.crt"}
	for name, text := range map[string]string{
		"passwd": "root:x:0:0:root:/root:/sbin/nologin\nnonroot:x:65532:65532:nonroot:/home/nonroot:/sbin/nologin\n",
		"group":  "root:x:0:\nnonroot:x:65532:\n",
	} {
		files[name] = filepath.Join(b.dir, name)
		if err := os.WriteFile(files[name], []byte(text), 0o600); err != nil {
			return err
		}
	}
	return b.fromFiles(baseStandIn+processor, processor, scratch(processor)+"COPY --chmod=644 passwd group /etc/\nCOPY --chmod=644 ca-certificates.crt /etc/ssl/certs/\nUSER 65532\n", files)
}

// Sidecar builds the product's image from its Dockerfile, under a name, for a processor ("amd64"), with more arguments for buildah.
func (b *Builder) Sidecar(name, processor string, args ...string) error {
	root, err := harness.ModulePath()
	if err != nil {
		return err
	}
	build, err := b.forDockerfile(processor)
	if err != nil {
		return err
	}
	_, err = b.buildah("build", slices.Concat(build, []string{"--platform", "linux/" + processor, "--tag", name}, args, []string{root})...)
	return err
}

// forDockerfile are the arguments with which buildah builds from the Dockerfile where nothing can be pulled: the stand-ins, this machine's
// Go, and its modules.
func (b *Builder) forDockerfile(processor string) ([]string, error) {
	env, err := exec.Command("go", "env", "GOROOT", "GOMODCACHE").Output()
	if err != nil {
		return nil, fmt.Errorf("find Go: %w", err)
	}
	paths := strings.Fields(string(env))
	cache := filepath.Join(b.home, "go-build") // not the host's: what this build makes is compared with what that made
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return nil, err
	}
	return []string{
		"--layers", "--pull-never", "--timestamp", "0", "--volume", paths[0] + ":/usr/local/go:ro", "--volume", paths[1] + ":/go/pkg/mod",
		"--volume", cache + ":/root/.cache/go-build", "--build-arg", "GO_IMAGE=" + goStandIn + processor, "--build-arg", "BASE_IMAGE=" + baseStandIn + processor,
	}, nil
}

// export writes an image into an archive that containerd imports, and returns its path.
func (b *Builder) export(name string) (string, error) {
	archive := filepath.Join(b.dir, strings.NewReplacer("/", "_", ":", "_").Replace(name)+".tar")
	_, err := b.buildah("push", name, "docker-archive:"+archive+":"+name)
	return archive, err
}

// Inspect returns a field of an image's description, by a Go template.
func (b *Builder) Inspect(name, template string) (string, error) {
	return b.buildah("inspect", "--type", "image", "--format", template, name)
}

// Open mounts an image for a moment and has look see the folder.
func (b *Builder) Open(image string, look func(root string) error) error {
	container, err := b.buildah("from", "--pull-never", image)
	if err != nil {
		return err
	}
	mounted, err := b.buildah("mount", container)
	if err == nil {
		err = look(mounted)
	}
	_, gone := b.buildah("rm", container)
	return errors.Join(err, gone)
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
