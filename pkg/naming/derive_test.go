package naming

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestDerive(t *testing.T) {
	long := strings.Repeat("n", 47) // with "-6d4cf56db6-" a base of 59
	for _, tc := range []struct {
		name   string
		pod    string
		labels map[string]string
		want   string // "" where it must refuse
		says   string // part of the refusal
	}{
		{"deployment", "web-6d4cf56db6-x7k2p", map[string]string{labelTemplateHash: "6d4cf56db6"}, "deployment/web", ""},
		{"deployment with hyphens", "my-web-2-6d4cf56db6-x7k2p", map[string]string{labelTemplateHash: "6d4cf56db6"}, "deployment/my-web-2", ""},
		{"deployment of the longest name", long[1:] + "-6d4cf56db6-x7k2p", map[string]string{labelTemplateHash: "6d4cf56db6"}, "deployment/" + long[1:], ""},
		{"deployment cut short", long + "-6d4cf56db6x7k2p", map[string]string{labelTemplateHash: "6d4cf56db6"}, "", "cut short"},
		{"deployment of another hash", "web-6d4cf56db6-x7k2p", map[string]string{labelTemplateHash: "7777777777"}, "", "does not end in that hash"},
		{"deployment without a name", "-6d4cf56db6-x7k2p", map[string]string{labelTemplateHash: "6d4cf56db6"}, "", "a name after the slash"},
		{"deployment with a vowel in the suffix", "web-6d4cf56db6-a7k2p", map[string]string{labelTemplateHash: "6d4cf56db6"}, "", "random suffix"},
		{"a hash of no controller", "web-main-x7k2p", map[string]string{labelTemplateHash: "main"}, "", "not one that a Deployment writes"},
		{"statefulset by index", "db-0", map[string]string{labelPodIndex: "0"}, "statefulset/db", ""},
		{"statefulset by pod name", "db-12", map[string]string{labelPodName: "db-12", labelRevisionHash: "db-7f9c8b"}, "statefulset/db", ""},
		{"statefulset by both", "db-2-12", map[string]string{labelPodName: "db-2-12", labelPodIndex: "12"}, "statefulset/db-2", ""},
		{"statefulset of another index", "db-0", map[string]string{labelPodIndex: "1"}, "", "does not match"},
		{"statefulset of another pod", "db-0", map[string]string{labelPodName: "da-0"}, "", "does not match"},
		{"statefulset of another revision", "db-0", map[string]string{labelPodIndex: "0", labelRevisionHash: "cache-7f9c8b"}, "", "does not match"},
		{"statefulset without ordinal", "db-x", map[string]string{labelPodIndex: "0"}, "", "ordinal"},
		{"statefulset with a padded ordinal", "db-00", map[string]string{labelPodName: "db-00"}, "", "ordinal"},
		{"daemonset", "agent-x7k2p", map[string]string{labelRevisionHash: "7f9c8b5d44"}, "daemonset/agent", ""},
		{"daemonset that may be cut", strings.Repeat("n", 57) + "-x7k2p", map[string]string{labelRevisionHash: "7f9c8b5d44"}, "", "cut short"},
		{"daemonset with a statefulset's revision", "agent-x7k2p", map[string]string{labelRevisionHash: "agent-7f9c8b"}, "", "not one that a DaemonSet writes"},
		{"daemonset without the hyphen", "agentx7k2p", map[string]string{labelRevisionHash: "7f9c8b5d44"}, "", "random suffix"},
		{"job", "load-x7k2p", map[string]string{labelJobName: "load"}, "job/load", ""},
		{"job cut short, its label whole", strings.Repeat("n", 58) + "x7k2p", map[string]string{labelJobName: strings.Repeat("n", 63)}, "job/" + strings.Repeat("n", 63), ""},
		{"indexed job", "load-3-x7k2p", map[string]string{labelJobName: "load", labelJobIndex: "3"}, "job/load", ""},
		{"indexed job cut short", strings.Repeat("n", 55) + "-3-x7k2p", map[string]string{labelJobName: strings.Repeat("n", 60), labelJobIndex: "3"}, "job/" + strings.Repeat("n", 60), ""},
		{"job of another name", "load-x7k2p", map[string]string{labelJobName: "lode"}, "", "does not start with"},
		{"job with an index of no number", "load-x-x7k2p", map[string]string{labelJobName: "load", labelJobIndex: "x"}, "", "not a number"},
		{"bare pod", "web", nil, "", "no label"},
		{"bare replicaset", "web-x7k2p", map[string]string{"app": "web"}, "", "no label"},
		{"empty labels count as absent", "web-x7k2p", map[string]string{labelTemplateHash: ""}, "", "no label"},
		{"deployment and statefulset", "web-6d4cf56db6-x7k2p", map[string]string{labelTemplateHash: "6d4cf56db6", labelPodIndex: "0"}, "", "two kinds"},
		{"daemonset of a deployment's look", "web-6d4cf56db6-x7k2p", map[string]string{labelTemplateHash: "6d4cf56db6", labelRevisionHash: "77"}, "", "two kinds"},
		{"statefulset and job", "db-0", map[string]string{labelPodIndex: "0", labelRevisionHash: "db-77", labelJobName: "db"}, "", "two kinds"},
		{"no name", "", map[string]string{labelTemplateHash: "6d4cf56db6"}, "", "random suffix"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := Derive(Pod{Name: tc.pod, Labels: tc.labels})
			if tc.want == "" {
				wantRefusal(t, err, tc.says)
				if got != (Workload{}) {
					t.Errorf("a refusal came with %v", got)
				}
				return
			}
			if err != nil || got.String() != tc.want {
				t.Errorf("got %v, %v; want %s", got, err, tc.want)
			}
		})
	}
}

func wantRefusal(t *testing.T, err error, says string) {
	t.Helper()
	if err == nil {
		t.Fatal("it derived a workload that nothing proves")
	}
	if !errors.Is(err, ErrUnproven) || !strings.Contains(err.Error(), says) {
		t.Errorf("got %q; want %q and ErrUnproven", err, says)
	}
}

// controller names pods as the Kubernetes controller of one kind does.
type controller struct {
	workload Workload
	cut      bool // whether it had to cut a name, so that a refusal is in order
	pod      func(*rapid.T) Pod
}

func controllers(t *rapid.T) controller {
	// Names with hyphens and letters of the suffix alphabet are those that could be misread.
	name := rapid.StringMatching(`[a-z0-9]([-bcdf245a]{0,60}[a-z0-9])?`).Draw(t, "name")
	hash := rapid.StringMatching("[" + suffixLetters + "]{1,10}")
	suffix := rapid.StringMatching("[" + suffixLetters + "]{5}")
	// Each rollout has a hash of its own.
	generated := func(t *rapid.T, base string) string { return cutBase(base) + suffix.Draw(t, "suffix") }
	c := controller{workload: Workload{Name: name}}
	c.workload.Kind = rapid.SampledFrom([]string{kindDeployment, kindStatefulSet, kindDaemonSet, kindJob}).Draw(t, "kind")
	switch c.workload.Kind {
	case kindDeployment:
		c.cut = len(name)+12 > generatedBaseMax
		c.pod = func(t *rapid.T) Pod {
			h := hash.Draw(t, "hash")
			return Pod{Name: generated(t, name+"-"+h+"-"), Labels: map[string]string{labelTemplateHash: h}}
		}
	case kindStatefulSet:
		c.pod = func(t *rapid.T) Pod {
			ordinal := rapid.IntRange(0, 120).Draw(t, "ordinal")
			pod := fmt.Sprintf("%s-%d", name, ordinal)
			return Pod{Name: pod, Labels: map[string]string{
				labelPodName: pod, labelPodIndex: fmt.Sprint(ordinal), labelRevisionHash: name + "-" + hash.Draw(t, "hash"),
			}}
		}
	case kindDaemonSet:
		c.cut = len(name)+1 >= generatedBaseMax
		c.pod = func(t *rapid.T) Pod {
			return Pod{Name: generated(t, name+"-"), Labels: map[string]string{labelRevisionHash: hash.Draw(t, "hash")}}
		}
	case kindJob:
		c.pod = func(t *rapid.T) Pod {
			return Pod{Name: generated(t, name+"-"), Labels: map[string]string{labelJobName: name}}
		}
	}
	return c
}

// TestReplicasDeriveOneWorkload: two replicas of one workload never derive two names, and never a wrong one. A label of another
// kind on the pod makes it refuse, and never changes the answer.
func TestReplicasDeriveOneWorkload(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := controllers(t)
		for range 4 {
			pod := c.pod(t)
			got, err := Derive(pod)
			switch {
			case err == nil && got != c.workload:
				t.Fatalf("pod %q derived %v; want %v", pod.Name, got, c.workload)
			case err != nil && !c.cut:
				t.Fatalf("pod %q of %v was refused: %v", pod.Name, c.workload, err)
			}
			pod.Labels[rapid.SampledFrom(DerivationLabels()).Draw(t, "key")] = rapid.StringMatching(`[a-z0-9]([-a-z0-9]{0,12}[a-z0-9])?`).Draw(t, "value")
			if got, err := Derive(pod); err == nil && got != c.workload {
				t.Fatalf("pod %v derived %v; want %v or a refusal", pod, got, c.workload)
			}
		}
	})
}
