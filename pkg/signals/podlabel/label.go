package podlabel

import (
	"fmt"
	"regexp"
	"strings"
)

// DefaultValue is the label's value where none is given.
const DefaultValue = "leader"

// Label is what the leader's pod bears.
type Label struct {
	// Key and Value are the label's, both in the form that Kubernetes asks for.
	Key, Value string
}

// The forms of Kubernetes: of a key's name and of a value, and of a key's prefix.
const (
	wordForm   = `^[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$`
	domainForm = `^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$`
)

// ParseLabel reads KEY or KEY=VALUE, by the rules of Kubernetes. It refuses the keys of Kubernetes' own domains:
// controllers select pods by them, and would take a pod whose label changed for a stranger's.
func ParseLabel(text string) (Label, error) {
	key, value, given := strings.Cut(text, "=")
	if !given {
		value = DefaultValue
	}
	prefix, name, prefixed := strings.Cut(key, "/")
	if !prefixed {
		prefix, name = "", key
	}
	switch {
	case !fits(wordForm, name), prefixed && (len(prefix) > 253 || !fits(domainForm, prefix)):
		return Label{}, fmt.Errorf("label key %q: want a key such as lease-sidecar.dev/role", key)
	case !fits(wordForm, value):
		return Label{}, fmt.Errorf("label value %q: want 1 to 63 letters, digits, '-', '_' and '.', a letter or digit first and last", value)
	case reserved(prefix, "kubernetes.io"), reserved(prefix, "k8s.io"), name == "pod-template-hash" && !prefixed:
		return Label{}, fmt.Errorf("label key %q is Kubernetes' own: choose one such as lease-sidecar.dev/role", key)
	}
	return Label{Key: key, Value: value}, nil
}

func fits(form, text string) bool { return regexp.MustCompile(form).MatchString(text) }

func reserved(prefix, domain string) bool {
	return prefix == domain || strings.HasSuffix(prefix, "."+domain)
}

// String prints the label as a selector takes it.
func (l Label) String() string { return l.Key + "=" + l.Value }
