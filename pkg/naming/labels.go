package naming

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// Labels that controllers put on their pods.
const (
	labelTemplateHash = "pod-template-hash"
	labelPodIndex     = "apps.kubernetes.io/pod-index"
	labelPodName      = "statefulset.kubernetes.io/pod-name"
	labelRevisionHash = "controller-revision-hash"
	labelJobName      = "batch.kubernetes.io/job-name"
	labelJobIndex     = "batch.kubernetes.io/job-completion-index"
)

// labelsMax bounds a labels file, in bytes. The API server bounds an object at 1.5 MiB; real files take a kilobyte or two.
const labelsMax = 1 << 20

// DerivationLabels returns the label keys that [Derive] looks at.
func DerivationLabels() []string {
	return []string{labelTemplateHash, labelPodIndex, labelPodName, labelRevisionHash, labelJobName, labelJobIndex}
}

// Revision returns the revision of the workload that a pod with these labels is of: its pod-template-hash or
// controller-revision-hash; "" if it has none.
func Revision(labels map[string]string) string {
	if hash := labels[labelTemplateHash]; hash != "" {
		return hash
	}
	return labels[labelRevisionHash]
}

// LabelEnv returns the environment variable that can carry a label in place of the labels file: "POD_LABEL_" and the key
// without its domain, in capitals, such as POD_LABEL_POD_TEMPLATE_HASH.
func LabelEnv(key string) string {
	key = key[strings.LastIndexByte(key, '/')+1:]
	return "POD_LABEL_" + strings.ToUpper(strings.ReplaceAll(key, "-", "_"))
}

// ParseLabels reads labels as the downward API writes them to a file: a line key="value" each, quoted as Go quotes strings.
// It refuses more than 1 MiB, a line of another form, and a key given twice.
func ParseLabels(r io.Reader) (map[string]string, error) {
	limited := &io.LimitedReader{R: r, N: labelsMax + 1}
	lines := bufio.NewScanner(limited)
	lines.Buffer(nil, labelsMax+1)
	labels := map[string]string{}
	for n := 1; lines.Scan(); n++ {
		if lines.Text() == "" {
			continue
		}
		key, quoted, ok := strings.Cut(lines.Text(), "=")
		value, err := strconv.Unquote(quoted)
		if !ok || key == "" || err != nil || !strings.HasPrefix(quoted, `"`) {
			return nil, fmt.Errorf("read labels: line %d is not key=\"value\"", n)
		}
		if _, twice := labels[key]; twice {
			return nil, fmt.Errorf("read labels: %q is given twice", clip(key))
		}
		labels[key] = value
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("read labels: %w", err)
	}
	if limited.N <= 0 {
		return nil, errors.New("read labels: more than 1 MiB")
	}
	return labels, nil
}
