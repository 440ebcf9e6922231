package repo

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// present are the tools that .ci/prerequisites looks for on the PATH, by their packages.
var present = map[string]string{
	"go": "", "make": "make", "git": "git", "cc": "gcc libc6-dev", "ps": "procps", "node": "nodejs", "javac": "default-jdk-headless",
	"perl": "perl", "ruby": "ruby", "curl": "curl", "promtool": "prometheus",
	"zsh": "zsh", "fish": "fish", "script": "bsdutils", "mandoc": "mandoc", "groff": "groff-base", "shellcheck": "shellcheck",
}

// machine is a PATH on which nothing is but fakes. Each fake writes down how it is called.
type machine struct {
	t          *testing.T
	dir, calls string
}

// newMachine returns one that has every tool, but not those that are missing. Its user has that id.
func newMachine(t *testing.T, uid string, missing ...string) *machine {
	t.Helper()
	m := &machine{t: t, dir: t.TempDir(), calls: filepath.Join(t.TempDir(), "calls")}
	for tool := range present {
		m.fake(tool, "")
	}
	m.fake("go", `[ "$1" != env ] || echo cc`)
	m.fake("id", "echo "+uid)
	m.fake("apt-get", "")
	for _, tool := range missing {
		if err := os.Remove(filepath.Join(m.dir, tool)); err != nil {
			t.Fatal(err)
		}
	}
	return m
}

func (m *machine) fake(tool, does string) {
	m.t.Helper()
	script := "#!/bin/sh\necho \"" + tool + " $*\" >>'" + m.calls + "'\n" + does + "\n"
	if err := os.WriteFile(filepath.Join(m.dir, tool), []byte(script), 0o700); err != nil {
		m.t.Fatal(err)
	}
}

// run runs a command of the repository there, and returns what it prints, its exit status, and the calls of apt-get and
// of go but for "go env".
func (m *machine) run(command ...string) (out string, code int, calls []string) {
	m.t.Helper()
	path, err := exec.LookPath(command[0])
	if err != nil {
		m.t.Fatal(err)
	}
	cmd := exec.Command(path, command[1:]...)
	cmd.Dir, cmd.Env = filepath.Join("..", ".."), []string{"PATH=" + m.dir, "HOME=" + m.dir}
	b, _ := cmd.CombinedOutput() // its status tells
	log, _ := os.ReadFile(m.calls)
	for line := range strings.Lines(string(log)) {
		if strings.HasPrefix(line, "apt-get") || strings.HasPrefix(line, "go ") && !strings.HasPrefix(line, "go env") {
			calls = append(calls, strings.TrimSpace(line))
		}
	}
	return string(b), cmd.ProcessState.ExitCode(), calls
}

// TestPrerequisites runs the script as root and as another user, with everything there and with something missing.
func TestPrerequisites(t *testing.T) {
	const install = "apt-get install -qy --no-install-recommends "
	for name, tc := range map[string]struct {
		uid     string
		missing []string
		apt     string // what apt-get does
		code    int
		calls   []string
		says    string
	}{
		"all is there":                      {uid: "1000"},
		"root installs":                     {"0", []string{"node", "cc"}, "cp '{dir}/ps' '{dir}/node'; cp '{dir}/ps' '{dir}/cc'", 0, []string{"apt-get update -q", install + "gcc libc6-dev nodejs"}, "installing"},
		"a package does not bring its tool": {"0", []string{"curl"}, "", 1, []string{"apt-get update -q", install + "curl"}, "still miss: curl"},
		"no mirror":                         {"0", []string{"curl"}, "exit 100", 100, []string{"apt-get update -q"}, "installing"},
		"another user":                      {"1000", []string{"git", "javac"}, "", 1, nil, "apt-get update && apt-get install -y --no-install-recommends git default-jdk-headless\n"},
		"no Debian":                         {"0", []string{"perl", "apt-get"}, "", 1, nil, "--no-install-recommends perl\n"},
		"no Go":                             {"0", []string{"go"}, "", 2, nil, "install Go"},
	} {
		t.Run(name, func(t *testing.T) {
			m := newMachine(t, tc.uid, tc.missing...)
			if tc.apt != "" {
				m.fake("apt-get", "PATH=/usr/bin:/bin; "+strings.ReplaceAll(tc.apt, "{dir}", m.dir))
			}
			out, code, calls := m.run("sh", ".ci/prerequisites")
			if code != tc.code || !strings.Contains(out, tc.says) || tc.says == "" && out != "" {
				t.Errorf("status %d and %q; want %d and %q", code, out, tc.code, tc.says)
			}
			if diff := cmp.Diff(tc.calls, calls); diff != "" {
				t.Errorf("calls (-want +got):\n%s", diff)
			}
		})
	}
}

// TestPrerequisitesOfNodes: what `make e2e` needs is asked for only by the argument e2e, and what `make test` needs is not, then.
func TestPrerequisitesOfNodes(t *testing.T) {
	m := newMachine(t, "1000", "node")
	out, code, _ := m.run("sh", ".ci/prerequisites", "e2e")
	if code != 1 || !strings.Contains(out, " nftables ") || !strings.Contains(out, " buildah crun") || strings.Contains(out, "nodejs") {
		t.Errorf("status %d and %q; want 1 and what nodes need", code, out)
	}
}

// TestNothingIsBuiltWithoutPrerequisites: `make test` and `make verify` end before they build or test anything.
func TestNothingIsBuiltWithoutPrerequisites(t *testing.T) {
	for _, target := range []string{"test", "verify"} {
		m := newMachine(t, "1000", "node")
		out, code, calls := m.run("make", target)
		if code != 2 || len(calls) > 0 || !strings.Contains(out, "--no-install-recommends nodejs\n") {
			t.Errorf("make %s: status %d, calls %q; want 2, none, and what to install\n%s", target, code, calls, out)
		}
	}
}
