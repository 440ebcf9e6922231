package repo

import (
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

// dependabot is the part of its configuration that is used here. A key that is not in it is a fault.
type dependabot struct {
	Version int
	Updates []struct {
		Ecosystem   string `json:"package-ecosystem"`
		Directory   string
		Directories []string
		Schedule    struct{ Interval string }
		Groups      map[string]struct {
			Patterns []string
			Exclude  []string `json:"exclude-patterns"`
		}
	}
}

// TestDependabotSeesEverything: each folder that it is sent to has what it looks for there, and each go.mod is looked at.
func TestDependabotSeesEverything(t *testing.T) {
	var d dependabot
	if err := yaml.UnmarshalStrict([]byte(read(t, filepath.Join(top, ".github", "dependabot.yml"))), &d); err != nil || d.Version != 2 {
		t.Fatalf("version %d (%v), want 2", d.Version, err)
	}
	holds := map[string]string{"gomod": "go.mod", "docker": "Dockerfile", "github-actions": ".github/workflows"}
	modules := map[string]bool{}
	for _, u := range d.Updates {
		if u.Directory != "" {
			u.Directories = append(u.Directories, u.Directory)
		}
		if holds[u.Ecosystem] == "" || len(u.Directories) == 0 || u.Schedule.Interval != "weekly" || len(u.Groups) == 0 {
			t.Errorf("an update is incomplete: %+v", u)
		}
		for _, folder := range u.Directories {
			if _, err := os.Stat(filepath.Join(top, folder, holds[u.Ecosystem])); err != nil || !path.IsAbs(folder) {
				t.Errorf("%s is sent to %s: %v", u.Ecosystem, folder, err)
			}
			if u.Ecosystem == "gomod" {
				modules[folder] = true
			}
		}
		for name, g := range u.Groups {
			if len(g.Patterns) == 0 {
				t.Errorf("group %s of %s has no patterns", name, u.Ecosystem)
			}
		}
	}
	for _, file := range tree(t, "go.mod") {
		if folder := strings.TrimPrefix(filepath.Dir(file), top); !modules[path.Join("/", filepath.ToSlash(folder))] {
			t.Errorf("%s is looked at by nobody: add its folder to .github/dependabot.yml", file)
		}
	}
	for _, u := range d.Updates { // an image that FROM takes from an ARG is not seen
		if from := regexp.MustCompile(`(?m)^FROM .*\$\{?\w+_?IMAGE`); u.Ecosystem == "docker" && from.MatchString(read(t, filepath.Join(top, "Dockerfile"))) {
			t.Error("Dependabot does not follow an ARG in FROM, as the Dockerfile has it: it need not look")
		}
	}
}

// form is an issue form. A key that is not in it is a fault.
type form struct {
	Name, Description, Title string
	Labels                   []string
	Body                     []struct {
		Type, ID   string
		Attributes struct {
			Label, Description, Placeholder, Value, Render string
			Options                                        []string
		}
		Validations struct{ Required bool }
	}
}

// check returns what GitHub would refuse in the form: it offers a form that it refuses to nobody.
func (f form) check() error {
	var faults []error
	fault := func(format string, values ...any) { faults = append(faults, fmt.Errorf(format, values...)) }
	if f.Name == "" || f.Description == "" {
		fault("it needs a name and a description")
	}
	ids, labels := map[string]bool{}, map[string]bool{}
	for i, e := range f.Body {
		switch a := e.Attributes; {
		case e.Type == "markdown":
			if a.Value == "" || e.ID != "" {
				fault("element %d: markdown has a value and no id", i)
			}
			continue
		case !slices.Contains([]string{"input", "textarea", "dropdown"}, e.Type):
			fault("element %d: type %q", i, e.Type)
		case a.Label == "" || labels[a.Label] || e.ID == "" || ids[e.ID]:
			fault("element %d: it needs a label and an id of its own", i)
		case (e.Type == "dropdown") != (len(a.Options) > 0):
			fault("element %d: a dropdown has options, and nothing else has", i)
		case a.Render != "" && e.Type != "textarea":
			fault("element %d: only a textarea renders", i)
		}
		ids[e.ID], labels[e.Attributes.Label] = true, true
	}
	if len(ids) == 0 {
		fault("it asks for nothing")
	}
	return errors.Join(faults...)
}

func TestIssueForms(t *testing.T) {
	for _, path := range github(t, "ISSUE_TEMPLATE", "*") {
		if filepath.Base(path) == "config.yml" {
			var config struct {
				Blank bool                                `json:"blank_issues_enabled"`
				Links []struct{ Name, URL, About string } `json:"contact_links"`
			}
			err := yaml.UnmarshalStrict([]byte(read(t, path)), &config)
			for _, l := range config.Links {
				if l.Name == "" || l.About == "" || !strings.HasPrefix(l.URL, "https://github.com/lease-sidecar/lease-sidecar/") {
					t.Errorf("%s: a link is incomplete: %+v", path, l)
				}
			}
			if err != nil || len(config.Links) == 0 {
				t.Errorf("%s: %v, %d links", path, err, len(config.Links))
			}
			continue
		}
		var f form
		if err := errors.Join(yaml.UnmarshalStrict([]byte(read(t, path)), &f), f.check()); err != nil {
			t.Errorf("%s: %v", path, err)
		}
	}
}

func TestFormsThatGitHubRefuses(t *testing.T) {
	const head = "name: A\ndescription: B\nbody:\n"
	for name, text := range map[string]string{
		"no question":       head + "- {type: markdown, attributes: {value: hello}}\n",
		"no description":    "name: A\nbody:\n- {type: input, id: a, attributes: {label: A}}\n",
		"no label":          head + "- {type: input, id: a}\n",
		"an id twice":       head + "- {type: input, id: a, attributes: {label: A}}\n- {type: input, id: a, attributes: {label: B}}\n",
		"no options":        head + "- {type: dropdown, id: a, attributes: {label: A}}\n",
		"an unknown type":   head + "- {type: text, id: a, attributes: {label: A}}\n",
		"an unknown key":    head + "- {type: input, id: a, attributes: {label: A}, required: true}\n",
		"an input that has": head + "- {type: input, id: a, attributes: {label: A, render: yaml}}\n",
	} {
		var f form
		if err := errors.Join(yaml.UnmarshalStrict([]byte(text), &f), f.check()); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// TestCodeOwners: each pattern matches files, and has an owner.
func TestCodeOwners(t *testing.T) {
	rules := 0
	for line := range strings.Lines(read(t, filepath.Join(top, ".github", "CODEOWNERS"))) {
		fields := strings.Fields(line)
		if len(fields) == 0 || strings.HasPrefix(fields[0], "#") {
			continue
		}
		rules++
		found, err := filepath.Glob(filepath.Join(top, fields[0]))
		if err != nil || len(found) == 0 {
			t.Errorf("%s matches no file (%v)", fields[0], err)
		}
		if len(fields) < 2 || slices.ContainsFunc(fields[1:], func(owner string) bool { return !strings.HasPrefix(owner, "@") }) {
			t.Errorf("%s has the owners %q", fields[0], fields[1:])
		}
	}
	if rules == 0 {
		t.Error("nobody owns anything")
	}
}
