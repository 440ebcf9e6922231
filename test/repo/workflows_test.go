package repo

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"
)

// workflow is what these tests read of a workflow. actionlint checks its form.
type workflow struct {
	Permissions map[string]string
	Concurrency struct{ Group string }
	Jobs        map[string]job
}

type job struct {
	Uses        string
	Timeout     int `json:"timeout-minutes"`
	Container   struct{ Image, Options string }
	Permissions map[string]string
	Steps       []struct {
		Uses, Run string
		With      map[string]any
	}
}

// workflows returns the workflows by their paths.
func workflows(t *testing.T) map[string]workflow {
	t.Helper()
	found := map[string]workflow{}
	for _, path := range github(t, "workflows", "*") {
		var w workflow
		if err := yaml.Unmarshal([]byte(read(t, path)), &w); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		found[path] = w
	}
	return found
}

// github returns the files below .github that match a pattern. There must be one.
func github(t *testing.T, pattern ...string) []string {
	t.Helper()
	pattern = append([]string{top, ".github"}, pattern...)
	found, err := filepath.Glob(filepath.Join(pattern...))
	if err != nil || len(found) == 0 {
		t.Fatalf("no file matches %s (%v)", filepath.Join(pattern...), err)
	}
	return found
}

// TestWorkflowsAreBounded: a workflow may read the repository and no more, a run of it does not race another one, and each job ends. The one
// job that publishes is the exception.
func TestWorkflowsAreBounded(t *testing.T) {
	for path, w := range workflows(t) {
		if len(w.Permissions) != 1 || w.Permissions["contents"] != "read" {
			t.Errorf("%s: its permissions are %v, want contents: read", path, w.Permissions)
		}
		if w.Concurrency.Group == "" {
			t.Errorf("%s: it has no concurrency group", path)
		}
		for name, j := range w.Jobs {
			if j.Uses == "" && j.Timeout == 0 {
				t.Errorf("%s: job %s has no timeout-minutes", path, name)
			}
			if writes := len(j.Permissions) > 0; writes != (filepath.Base(path) == "release.yml" && name == "publish") {
				t.Errorf("%s: job %s has the permissions %v", path, name, j.Permissions)
			}
			for _, s := range j.Steps {
				if strings.HasPrefix(s.Uses, "actions/checkout@") && s.With["persist-credentials"] != false {
					t.Errorf("%s: job %s leaves the token in the checkout: set persist-credentials: false", path, name)
				}
			}
		}
	}
}

var (
	usesLine = regexp.MustCompile(`(?m)^ *(?:- )?uses: *(.*)$`)
	pinned   = regexp.MustCompile(`^([\w-]+/[\w/-]+)@([0-9a-f]{40}) # v\d+\.\d+\.\d+$`)
)

// TestActionsArePinned: an action is named by its commit, with its version as a comment, and by the same commit everywhere; a workflow of
// this repository by its path.
func TestActionsArePinned(t *testing.T) {
	seen := map[string]string{}
	for _, path := range github(t, "workflows", "*") {
		for _, line := range usesLine.FindAllStringSubmatch(read(t, path), -1) {
			if own, ok := strings.CutPrefix(line[1], "./"); ok {
				read(t, filepath.Join(top, own))
				continue
			}
			m := pinned.FindStringSubmatch(line[1])
			if m == nil {
				t.Errorf("%s: uses %s: want OWNER/NAME@COMMIT # vX.Y.Z", path, line[1])
				continue
			}
			repository := strings.Join(strings.Split(m[1], "/")[:2], "/") // actions/cache/restore is of actions/cache
			if before := seen[repository]; before != "" && before != m[2] {
				t.Errorf("%s: %s is pinned to %s, and elsewhere to %s", path, repository, m[2], before)
			}
			seen[repository] = m[2]
		}
	}
}

var (
	ofCI       = regexp.MustCompile(`\.ci/[\w.-]+`)
	makeCall   = regexp.MustCompile(`(?m)(?:^|[|&;] *)make ((?:[a-zA-Z][\w-]*(?:=\S+)? *)+)`)
	makeTarget = regexp.MustCompile(`(?m)^([a-z0-9-]+):`)
	buildArg   = regexp.MustCompile(`--build-arg (\w+)=`)
	gitHubFile = regexp.MustCompile(`hashFiles\(([^)]*)\)`)
)

// TestWorkflowsCallWhatIsThere: the scripts, make's targets and variables, the arguments of the Dockerfile and the files whose hashes
// name caches.
func TestWorkflowsCallWhatIsThere(t *testing.T) {
	makefile, dockerfile := read(t, filepath.Join(top, "Makefile")), read(t, filepath.Join(top, "Dockerfile"))
	targets := map[string]bool{}
	for _, m := range makeTarget.FindAllStringSubmatch(makefile, -1) {
		targets[m[1]] = true
	}
	calls := 0
	for path, w := range workflows(t) {
		var all strings.Builder
		for _, j := range w.Jobs {
			for _, s := range j.Steps {
				fmt.Fprintln(&all, s.Run)
			}
		}
		runs := all.String()
		for _, script := range ofCI.FindAllString(runs, -1) {
			calls++
			if info, err := os.Stat(filepath.Join(top, script)); err != nil || info.Mode()&0o111 == 0 {
				t.Errorf("%s runs %s, which is not an executable file (%v)", path, script, err)
			}
		}
		for _, m := range makeCall.FindAllStringSubmatch(runs, -1) {
			for argument := range strings.FieldsSeq(m[1]) {
				calls++
				if variable, _, ok := strings.Cut(argument, "="); ok && !strings.Contains(makefile, "$("+variable+")") {
					t.Errorf("%s sets %s, which the Makefile does not use", path, variable)
				} else if !ok && !targets[argument] {
					t.Errorf("%s runs make %s, which is no target", path, argument)
				}
			}
		}
		for _, m := range buildArg.FindAllStringSubmatch(runs, -1) {
			calls++
			if !strings.Contains(dockerfile, "\nARG "+m[1]+"=") {
				t.Errorf("%s sets the build argument %s, which the Dockerfile does not have", path, m[1])
			}
		}
		for _, m := range gitHubFile.FindAllStringSubmatch(read(t, path), -1) {
			for pattern := range strings.SplitSeq(m[1], ",") {
				pattern = strings.Trim(pattern, " '")
				if files, ok := strings.CutPrefix(pattern, "**/*"); ok {
					tree(t, files)
				} else {
					read(t, filepath.Join(top, pattern))
				}
			}
		}
	}
	if calls < 8 {
		t.Errorf("found %d calls: the workflows have more", calls)
	}
}

var (
	ciStep     = regexp.MustCompile(`(?m)^step \d+ (?:make (.+)|\.ci/(prerequisites))$`)
	verifyRule = regexp.MustCompile(`(?m)^verify: (.*?) ##.*\n((?:\t.*\n)*)`)
)

// TestVerifyIsWhatCIRuns: a contributor runs by make verify what .ci/run runs step by step. What make e2e begins with is a step of its own
// there: it has its own time.
func TestVerifyIsWhatCIRuns(t *testing.T) {
	ci, verify := map[string]bool{}, map[string]bool{}
	for _, m := range ciStep.FindAllStringSubmatch(read(t, filepath.Join(top, ".ci", "run")), -1) {
		if step := m[1] + m[2]; step != "nodes" {
			ci[step] = true
		}
	}
	m := verifyRule.FindStringSubmatch(read(t, filepath.Join(top, "Makefile")))
	if m == nil {
		t.Fatal("the Makefile has no target verify")
	}
	for target := range strings.FieldsSeq(m[1]) {
		verify[target] = true
	}
	for line := range strings.Lines(m[2]) {
		verify[strings.TrimSpace(strings.TrimPrefix(line, "\t$(MAKE) "))] = true
	}
	if diff := cmp.Diff(ci, verify); diff != "" {
		t.Errorf("make verify is not what CI runs (-.ci/run +make verify):\n%s", diff)
	}
}
