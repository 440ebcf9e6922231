package naming

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Pod is what a pod can learn of itself from the downward API, with no request to the API server.
type Pod struct {
	// Name is metadata.name.
	Name string
	// Labels holds the pod's labels, or those of [DerivationLabels] that were given.
	Labels map[string]string
}

// ErrUnproven is wrapped by every refusal of [Derive]: somebody has to name the workload.
var ErrUnproven = errors.New("the workload cannot be derived")

// proof is how the pods of one kind are known: any of labels shows the kind, and find reads the workload's name from the pod,
// or says what does not match.
type proof struct {
	kind   string
	labels []string
	find   func(Pod) (name string, err error)
}

var proofs = []proof{
	{kindDeployment, []string{labelTemplateHash}, deploymentName},
	{kindStatefulSet, []string{labelPodIndex, labelPodName}, statefulSetName},
	{kindDaemonSet, []string{labelRevisionHash}, daemonSetName},
	{kindJob, []string{labelJobName}, jobName},
}

// Derive returns the workload that the pod's labels and name prove. It refuses, wrapping [ErrUnproven], what they leave open:
// a bare Pod or ReplicaSet, a name that Kubernetes cut short, labels of two kinds, labels that do not match the name.
func Derive(pod Pod) (Workload, error) {
	var found []proof
	for _, p := range proofs {
		// A StatefulSet's pods carry the DaemonSet's label too.
		ofStatefulSet := p.kind == kindDaemonSet && len(found) > 0 && found[len(found)-1].kind == kindStatefulSet
		if p.labelOf(pod) != "" && !ofStatefulSet {
			found = append(found, p)
		}
	}
	switch len(found) {
	case 0:
		return Workload{}, fmt.Errorf("pod %q carries no label that proves its workload's kind: %w", clip(pod.Name), ErrUnproven)
	case 1:
		return found[0].derive(pod)
	}
	return Workload{}, fmt.Errorf("pod %q carries labels of two kinds, %s and %s: %w", clip(pod.Name),
		found[0].labelOf(pod), found[1].labelOf(pod), ErrUnproven)
}

// labelOf returns the first of the kind's labels that pod carries, with a value; "" where it carries none.
func (p proof) labelOf(pod Pod) string {
	for _, label := range p.labels {
		if pod.Labels[label] != "" {
			return label
		}
	}
	return ""
}

func (p proof) derive(pod Pod) (Workload, error) {
	name, err := p.find(pod)
	w := Workload{Kind: p.kind, Name: name}
	if err == nil {
		err = w.validate()
	}
	if err != nil {
		return Workload{}, fmt.Errorf("pod %q is not proven to belong to a %s, though it carries %s: %w: %w",
			clip(pod.Name), p.kind, p.labelOf(pod), err, ErrUnproven)
	}
	return w, nil
}

// deploymentName reads <name>-<pod-template-hash>-<random>. Kubernetes cuts at the end, so a whole hash proves a whole name.
func deploymentName(pod Pod) (string, error) {
	hash := pod.Labels[labelTemplateHash]
	base, generated := cutSuffix(pod.Name)
	name, ok := strings.CutSuffix(base, "-"+hash+"-")
	switch {
	case strings.Trim(hash, suffixLetters) != "":
		return "", errors.New("the hash is not one that a Deployment writes")
	case !generated:
		return "", errNoSuffix
	case !ok && len(base) >= generatedBaseMax:
		return "", errTruncated
	case !ok:
		return "", errors.New("the name does not end in that hash and a random suffix")
	}
	return name, nil
}

// statefulSetName reads <name>-<ordinal>, which is never cut.
func statefulSetName(pod Pod) (string, error) {
	i := strings.LastIndexByte(pod.Name, '-')
	if i < 0 || !isOrdinal(pod.Name[i+1:]) {
		return "", errors.New("the name does not end in an ordinal")
	}
	name, ordinal := pod.Name[:i], pod.Name[i+1:]
	if index := pod.Labels[labelPodIndex]; index != "" && index != ordinal {
		return "", fmt.Errorf("%s=%q does not match the name", labelPodIndex, clip(index))
	}
	if podName := pod.Labels[labelPodName]; podName != "" && podName != pod.Name {
		return "", fmt.Errorf("%s=%q does not match the name", labelPodName, clip(podName))
	}
	if revision := pod.Labels[labelRevisionHash]; revision != "" && !strings.HasPrefix(revision, name+"-") {
		return "", fmt.Errorf("%s=%q does not match the name", labelRevisionHash, clip(revision))
	}
	return name, nil
}

// daemonSetName reads <name>-<random>. Nothing else shows the name, so one that may have been cut is refused.
func daemonSetName(pod Pod) (string, error) {
	base, _ := cutSuffix(pod.Name)
	name, ok := strings.CutSuffix(base, "-")
	switch {
	case strings.Trim(pod.Labels[labelRevisionHash], suffixLetters) != "":
		return "", errors.New("the hash is not one that a DaemonSet writes")
	case len(base) >= generatedBaseMax:
		return "", errTruncated
	case !ok:
		return "", errNoSuffix
	}
	return name, nil
}

// jobName takes the full name from the label, and checks that the pod's name is one that the Job would give.
func jobName(pod Pod) (string, error) {
	job, index := pod.Labels[labelJobName], pod.Labels[labelJobIndex]
	want := cutBase(job + "-")
	if index != "" {
		if !isOrdinal(index) {
			return "", fmt.Errorf("%s=%q is not a number", labelJobIndex, clip(index))
		}
		tail := "-" + index + "-"
		want = job + tail
		if len(want) > generatedBaseMax { // an indexed Job cuts its own name, not the index
			want = want[:generatedBaseMax-len(tail)] + tail
		}
	}
	if base, ok := cutSuffix(pod.Name); !ok || base != want {
		return "", fmt.Errorf("the name does not start with %q and end in a random suffix", want)
	}
	return job, nil
}

// isOrdinal reports whether s is a number as Kubernetes prints one: no sign, no leading zero.
func isOrdinal(s string) bool {
	n, err := strconv.ParseUint(s, 10, 31)
	return err == nil && strconv.FormatUint(n, 10) == s
}

// How Kubernetes names a controller's pods (metadata.generateName): the base, cut to 58 characters, then 5 letters of an
// alphabet without vowels, in which the hashes in labels are written too.
const (
	suffixLetters    = "bcdfghjklmnpqrstvwxz2456789"
	suffixLength     = 5
	generatedBaseMax = labelMax - suffixLength
)

var (
	errNoSuffix  = errors.New("the name does not end in a random suffix of five")
	errTruncated = errors.New("the pod's name has 63 characters and may have been cut short")
)

// cutSuffix splits a generated name into its base and the random suffix, which it drops; the base is "" where there is none.
func cutSuffix(podName string) (base string, ok bool) {
	at := len(podName) - suffixLength
	if at <= 0 || strings.Trim(podName[at:], suffixLetters) != "" {
		return "", false
	}
	return podName[:at], true
}

func cutBase(base string) string { return base[:min(len(base), generatedBaseMax)] }
