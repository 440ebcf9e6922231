package naming

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestParseWorkload(t *testing.T) {
	for _, tc := range []struct {
		in   string
		want Workload
		says []string // the parts of a refusal
	}{
		{in: "deployment/web", want: Workload{"deployment", "web"}},
		{in: "Deployment/web", want: Workload{"deployment", "web"}},
		{in: "cronjob/nightly", want: Workload{"cronjob", "nightly"}},
		{in: "redis/cache.eu", want: Workload{"redis", "cache.eu"}},
		{in: "deploy/web", says: []string{`kind "deployment"`}},
		{in: "deployments/web", says: []string{`kind "deployment"`}},
		{in: "STS/web", says: []string{`kind "statefulset"`}},
		{in: "statefulset.apps/web", says: []string{"letters and digits only"}},
		{in: "web", says: []string{"KIND/NAME"}},
		{in: "", says: []string{"KIND/NAME"}},
		{in: "/web", says: []string{"a Kubernetes kind"}},
		{in: "deployment/", says: []string{"a name after the slash"}},
		{in: "deployment/a/b", says: []string{"a name after the slash"}},
		{in: "deploy/Web", says: []string{`kind "deployment"`, "a name after the slash"}},
		{in: "deployment/" + strings.Repeat("x", 254), says: []string{"not 254"}},
	} {
		t.Run(tc.in, func(t *testing.T) {
			got, err := ParseWorkload(tc.in)
			if tc.says == nil && err != nil {
				t.Fatal(err)
			}
			for _, part := range tc.says {
				if err == nil || !strings.Contains(err.Error(), part) {
					t.Errorf("got error %v; want %q in it", err, part)
				}
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func TestLeaseName(t *testing.T) {
	web := Workload{kindDeployment, "web"}
	got, err := NewLeaseName("acme", web)
	if want := LeaseName("acme-752b7817f6"); err != nil || got != want {
		t.Errorf("got %q, %v; want %q", got, err, want)
	}
	longest := strings.Repeat("p", 52)
	if got, err := NewLeaseName(longest, web); err != nil || len(got) != 63 {
		t.Errorf("got %q, %v; want a name of 63 characters", got, err)
	}
	for _, prefix := range []string{"", "Acme", "acme_", "-acme", "acme-", "a.b", longest + "p"} {
		if got, err := NewLeaseName(prefix, web); err == nil {
			t.Errorf("prefix %q was taken: %q", prefix, got)
		}
	}
	_, err = NewLeaseName("Acme", Workload{"deploy", "Web"})
	for _, part := range []string{"Prefix", "kind \"deployment\"", "a name after the slash"} {
		if err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("got %v; want all faults, %q among them", err, part)
		}
	}
}

// The hash covers "KIND/NAME" as one text, and neither half can hold the slash: two workloads are two names.
func TestLeaseNamesDiffer(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		workloads := rapid.Custom(func(t *rapid.T) Workload {
			return Workload{
				Kind: rapid.StringMatching(`[a-z][a-z0-9]{0,5}`).Draw(t, "kind"),
				Name: rapid.StringMatching(`[a-z0-9]([-a-z0-9]{0,5}[a-z0-9])?`).Draw(t, "name"),
			}
		})
		v, w := workloads.Draw(t, "v"), workloads.Draw(t, "w")
		a, errA := NewLeaseName("p", v)
		b, errB := NewLeaseName("p", w)
		if errA == nil && errB == nil && (v == w) != (a == b) {
			t.Fatalf("%v is %s and %v is %s", v, a, w, b)
		}
	})
}

func TestParseLeaseName(t *testing.T) {
	for in, ok := range map[string]bool{
		"acme-752b7817f6": true, "a.b": true, strings.Repeat("x", 253): true,
		"": false, "A": false, "a..b": false, "a/b": false, "-a": false, strings.Repeat("x", 254): false, "../a": false,
	} {
		if got, err := ParseLeaseName(in); (err == nil) != ok || (ok && string(got) != in) {
			t.Errorf("%q: got %q, %v", in, got, err)
		}
	}
}

func TestValidateNamespace(t *testing.T) {
	for in, ok := range map[string]bool{"default": true, "a-1": true, "": false, "a.b": false, "A": false, strings.Repeat("x", 64): false} {
		if err := ValidateNamespace(in); (err == nil) != ok {
			t.Errorf("%q: got %v", in, err)
		}
	}
}

func TestIdentity(t *testing.T) {
	const uid = "0b1f6f0e-38c1-4d0c-9a43-2f6e0f6f7a11"
	for _, tc := range []struct{ name, uid, want string }{
		{"web-5d9", uid, "web-5d9_" + uid},
		{"static", strings.ReplaceAll(uid, "-", ""), "static_" + strings.ReplaceAll(uid, "-", "")},
		{"web 5d9", uid, ""},
		{"web_5d9", uid, ""},
		{"Web", uid, ""},
		{"", uid, ""},
		{"web", "", ""},
		{"web", "not-a-uid", ""},
		{"web", uid + " ", ""},
	} {
		got, err := NewIdentity(tc.name, tc.uid)
		if string(got) != tc.want || (err == nil) != (tc.want != "") {
			t.Errorf("NewIdentity(%q, %q): got %q, %v; want %q", tc.name, tc.uid, got, err, tc.want)
		}
		if tc.want != "" && got.Name() != tc.name {
			t.Errorf("%q is named %q; want %q", got, got.Name(), tc.name)
		}
	}
	if _, err := NewIdentity("Web", "x"); err == nil || !strings.Contains(err.Error(), "Name") || !strings.Contains(err.Error(), "PodUID") {
		t.Errorf("got %v; want both faults", err)
	}
}

func TestIdentityNameOfOthers(t *testing.T) {
	for in, want := range map[string]string{
		"":         "",
		"host":     "host",
		"host_abc": "host_abc",
		"a_b_0b1f6f0e-38c1-4d0c-9a43-2f6e0f6f7a11":   "a_b",
		"host_0b1f6f0e-38c1-4d0c-9a43-2f6e0f6f7a1g":  "host_0b1f6f0e-38c1-4d0c-9a43-2f6e0f6f7a1g",
		"host_0b1f6f0e038c1-4d0c-9a43-2f6e0f6f7a11":  "host_0b1f6f0e038c1-4d0c-9a43-2f6e0f6f7a11",
		"host_0b1f6f0e-38c1-4d0c-9a43-2f6e0f6f7a11 ": "host_0b1f6f0e-38c1-4d0c-9a43-2f6e0f6f7a11 ",
	} {
		if got := Identity(in).Name(); got != want {
			t.Errorf("%q: got %q; want %q", in, got, want)
		}
	}
}

func TestRandomIdentityIsFresh(t *testing.T) {
	v4 := regexp.MustCompile(`^web_[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)
	seen := map[Identity]bool{}
	for range 100 {
		id, err := RandomIdentity("web")
		if err != nil || seen[id] || !v4.MatchString(string(id)) || id.Name() != "web" {
			t.Fatalf("got %q, %v after %d others", id, err, len(seen))
		}
		seen[id] = true
	}
	if _, err := RandomIdentity("a b"); err == nil {
		t.Error("a name with a space was taken")
	}
}

func TestParseLabels(t *testing.T) {
	for _, tc := range []struct {
		name, in string
		want     map[string]string
	}{
		{"none", "", map[string]string{}},
		{"as the kubelet writes it", "app=\"web\"\npod-template-hash=\"6d4cf56db6\"", map[string]string{"app": "web", "pod-template-hash": "6d4cf56db6"}},
		{"escapes and an equals sign", "a=\"x=\\\"y\\\"\\n\"\n\nb=\"\"\n", map[string]string{"a": "x=\"y\"\n", "b": ""}},
		{"without quotes", "app=web\n", nil},
		{"in other quotes", "app=`web`\n", nil},
		{"half", "app=\"we", nil},
		{"without key", "=\"web\"\n", nil},
		{"twice", "a=\"1\"\na=\"2\"\n", nil},
		{"endless line", strings.Repeat("x", labelsMax+1), nil},
		{"too many", strings.Repeat("\n", labelsMax+1), nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := ParseLabels(strings.NewReader(tc.in))
			if (err == nil) != (tc.want != nil) {
				t.Fatalf("got error %v", err)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func TestLabelEnv(t *testing.T) {
	want := map[string]string{
		labelTemplateHash: "POD_LABEL_POD_TEMPLATE_HASH",
		labelPodIndex:     "POD_LABEL_POD_INDEX",
		labelPodName:      "POD_LABEL_POD_NAME",
		labelRevisionHash: "POD_LABEL_CONTROLLER_REVISION_HASH",
		labelJobName:      "POD_LABEL_JOB_NAME",
		labelJobIndex:     "POD_LABEL_JOB_COMPLETION_INDEX",
	}
	got := map[string]string{}
	for _, key := range DerivationLabels() {
		got[key] = LabelEnv(key)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// Every name that ParseLeaseName takes names a file, and no two the same one.
func TestFileNamesOfLongNames(t *testing.T) {
	label := strings.Repeat("a", 63)
	longest := label + "." + label + "." + label + "." + strings.Repeat("a", 61) // 253
	dir := t.TempDir()
	seen := map[string]string{}
	for _, name := range []string{
		"web", strings.Repeat("a", 200), strings.Repeat("a", 201), longest[:252], longest,
		label + "." + longest, longest[:252] + "b", // a namespace before it; a last letter that differs
	} {
		got := FileName(name)
		if other, taken := seen[got]; taken {
			t.Errorf("%s and %s share the file name %s", name, other, got)
		}
		seen[got] = name
		if len(name) <= 200 && got != name {
			t.Errorf("FileName(%q) = %q; want it as it is", name, got)
		}
		if err := os.WriteFile(filepath.Join(dir, "."+got+".ledger.json"), nil, 0o600); err != nil {
			t.Errorf("a name of %d bytes: %v", len(name), err)
		}
	}
}
