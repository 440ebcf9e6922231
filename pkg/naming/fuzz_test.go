package naming

import (
	"maps"
	"regexp"
	"strings"
	"testing"
)

// The forms of RFC 1123 that Kubernetes asks for, said once more and in another way.
var (
	labelForm     = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$`)
	subdomainForm = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$`)
)

// FuzzDerive reads a labels file, derives the workload of a pod with them, and of the pods that its controller
// would make beside it: none may derive another workload. Whatever is derived or given makes a Lease name that the API
// server takes.
func FuzzDerive(f *testing.F) {
	f.Add("web-6d4cf56db6-x7k2p", "pod-template-hash=\"6d4cf56db6\"\napp=\"web\"", "acme")
	f.Add("db-2-12", "apps.kubernetes.io/pod-index=\"12\"\nstatefulset.kubernetes.io/pod-name=\"db-2-12\"\ncontroller-revision-hash=\"db-2-77\"", "a")
	f.Add("agent-x7k2p", "controller-revision-hash=\"7f9c8b5d44\"", strings.Repeat("p", prefixMax))
	f.Add(strings.Repeat("n", 58)+"x7k2p", "batch.kubernetes.io/job-name=\""+strings.Repeat("n", 63)+"\"", "-")
	f.Add("load-3-x7k2p", "batch.kubernetes.io/job-name=\"load\"\nbatch.kubernetes.io/job-completion-index=\"3\"", "a.b")
	f.Add("db-0", "apps.kubernetes.io/pod-index=\"24567\"", "my-db")
	f.Add(strings.Repeat("n", labelMax+1), "", strings.Repeat("p", prefixMax+1))
	f.Add("deployment/web", "a=\"x\\n\"\n\nb=\"\"", "Web")
	f.Add("web_0b1f6f0e-38c1-4d0c-9a43-2f6e0f6f7a11", "=\"\"", "")
	f.Fuzz(func(t *testing.T, pod, labelsFile, prefix string) {
		checkGiven(t, pod, prefix)
		labels, err := ParseLabels(strings.NewReader(labelsFile))
		if err != nil {
			if labels != nil {
				t.Fatalf("%v, and yet %v", err, labels)
			}
			return
		}
		if len(labels) > strings.Count(labelsFile, "=") {
			t.Fatalf("%d labels from %q", len(labels), labelsFile)
		}
		w, err := Derive(Pod{Name: pod, Labels: labels})
		if err != nil {
			wantRefusal(t, err, "")
			return
		}
		checkLeaseName(t, prefix, w)
		for _, sibling := range siblings(w, Pod{Name: pod, Labels: labels}) {
			if other, err := Derive(sibling); err == nil && other != w {
				t.Fatalf("pod %q %v derives %v, its sibling %q %v %v", pod, labels, w, sibling.Name, sibling.Labels, other)
			}
		}
	})
}

// checkGiven reads text as everything that a user may give.
func checkGiven(t *testing.T, text, prefix string) {
	t.Helper()
	if w, err := ParseWorkload(text); err == nil {
		again, err := ParseWorkload(w.String())
		if err != nil || again != w || w.Kind != strings.ToLower(w.Kind) {
			t.Fatalf("%q reads as %q, and that as %q, %v", text, w, again, err)
		}
		checkLeaseName(t, prefix, w)
	}
	if name, err := ParseLeaseName(text); (err == nil) != (len(text) <= subdomainMax && subdomainForm.MatchString(text)) || err == nil && string(name) != text {
		t.Fatalf("Lease name %q: %q, %v", text, name, err)
	}
	if err := ValidateNamespace(text); (err == nil) != labelForm.MatchString(text) {
		t.Fatalf("namespace %q: %v", text, err)
	}
	id, err := RandomIdentity(text)
	if (err == nil) != (len(text) <= subdomainMax && subdomainForm.MatchString(text)) || err == nil && id.Name() != text {
		t.Fatalf("identity of %q: %q, named %q, %v", text, id, id.Name(), err)
	}
	if name := Identity(text).Name(); !strings.HasPrefix(text, name) {
		t.Fatalf("identity %q is named %q", text, name)
	}
}

func checkLeaseName(t *testing.T, prefix string, w Workload) {
	t.Helper()
	if !subdomainForm.MatchString(w.Name) || len(w.Name) > subdomainMax {
		t.Fatalf("workload %q has no valid name", w)
	}
	name, err := NewLeaseName(prefix, w)
	if valid := len(prefix) <= prefixMax && labelForm.MatchString(prefix); (err == nil) != valid {
		t.Fatalf("prefix %q: %v", prefix, err)
	}
	if err == nil && (!labelForm.MatchString(string(name)) || !strings.HasPrefix(string(name), prefix+"-")) {
		t.Fatalf("Lease name %q of %q and %q", name, prefix, w)
	}
}

// siblings are pods of the same workload as its controller makes them: of the same revision, and after a rollout.
func siblings(w Workload, pod Pod) []Pod {
	as := func(name string, change map[string]string) Pod {
		labels := maps.Clone(pod.Labels)
		for key, value := range change {
			if labels[key] != "" {
				labels[key] = value
			}
		}
		return Pod{Name: name, Labels: labels}
	}
	switch w.Kind {
	case kindDeployment:
		hash := pod.Labels[labelTemplateHash]
		return []Pod{
			as(cutBase(w.Name+"-"+hash+"-")+"bcdf2", nil),
			as(cutBase(w.Name+"-7z9-")+"bcdf2", map[string]string{labelTemplateHash: "7z9"}), // no hash of a Deployment's
			as(cutBase(w.Name+"-2bcdfghjkl-")+"24567", map[string]string{labelTemplateHash: "2bcdfghjkl"}),
		}
	case kindStatefulSet:
		return []Pod{
			as(w.Name+"-0", map[string]string{labelPodIndex: "0", labelPodName: w.Name + "-0"}),
			as(w.Name+"-2147483647", map[string]string{labelPodIndex: "2147483647", labelPodName: w.Name + "-2147483647"}),
		}
	case kindDaemonSet:
		return []Pod{as(cutBase(w.Name+"-")+"24567", map[string]string{labelRevisionHash: "bcd"})}
	}
	if pod.Labels[labelJobIndex] != "" {
		return []Pod{as(w.Name+"-0-bcdf2", map[string]string{labelJobIndex: "0"})}
	}
	return []Pod{as(cutBase(w.Name+"-")+"24567", nil)}
}
