package podlabel

import (
	"regexp"
	"strings"

	"github.com/lease-sidecar/lease-sidecar/pkg/apiserver"
	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
	"github.com/lease-sidecar/lease-sidecar/pkg/field"
)

// Config says which pod to label. Every field is required.
type Config struct {
	// API is the way to the API server.
	API apiserver.Client
	// Namespace, Pod and UID name this replica's own pod.
	Namespace, Pod, UID string
	// Label is the label of the leader's pod.
	Label Label
	// Clock judges terms.
	Clock bootclock.Clock
}

const defaultValue = "leader"

// Label is the label of the leader's pod.
type Label struct {
	// Key and Value are the label's. Both must be valid in Kubernetes.
	Key, Value string
}

// The forms of a key's name and of a value, and of a key's prefix, as Kubernetes defines them.
const (
	nameForm   = `^[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$`
	domainForm = `^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$`
)

// ParseLabel reads KEY or KEY=VALUE and checks both by the rules of Kubernetes. It refuses keys of Kubernetes' own domains:
// controllers select pods by them and would disown a relabelled pod. The error is a [*field.Error] of Label.
func ParseLabel(text string) (Label, error) {
	key, value, given := strings.Cut(text, "=")
	if !given {
		value = defaultValue
	}
	prefix, name, prefixed := strings.Cut(key, "/")
	if !prefixed {
		prefix, name = "", key
	}
	switch {
	case !matches(nameForm, name), prefixed && (len(prefix) > 253 || !matches(domainForm, prefix)):
		return Label{}, field.Quoted("Label", text, "a key such as lease-sidecar.dev/role")
	case !matches(nameForm, value):
		return Label{}, field.Quoted("Label", text, "a value of 1 to 63 letters, digits, '-', '_' and '.', a letter or digit first and last")
	case reserved(prefix, "kubernetes.io"), reserved(prefix, "k8s.io"), name == "pod-template-hash" && !prefixed:
		return Label{}, field.Quoted("Label", text, "a key that is not Kubernetes' own, such as lease-sidecar.dev/role")
	}
	return Label{Key: key, Value: value}, nil
}

func matches(form, text string) bool { return regexp.MustCompile(form).MatchString(text) }

func reserved(prefix, domain string) bool {
	return prefix == domain || strings.HasSuffix(prefix, "."+domain)
}

// String prints the label as a selector takes it.
func (l Label) String() string { return l.Key + "=" + l.Value }
