package client

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/lease-sidecar/lease-sidecar/internal/httpapi"
	"github.com/lease-sidecar/lease-sidecar/pkg/leadership"
	"github.com/lease-sidecar/lease-sidecar/pkg/naming"
)

// ErrOtherPod is why an answer is not believed: another pod's sidecar gave it, and so nothing is known of this pod.
var ErrOtherPod = errors.New("the sidecar of another pod answered")

// For makes the client believe only the sidecar of that pod; of a pod of which nothing is known, every one. Call it before
// anything is asked.
func (s *Sidecar) For(pod httpapi.Pod) { s.pod = pod }

// check returns [ErrOtherPod], with what to do, where an answer comes from another pod's sidecar. Header is the answer's
// own [httpapi.PodHeader].
func (s *Sidecar) check(header string, l leadership.Leadership) error {
	from := httpapi.ParsePod(header)
	if ours(s.pod, from, l) {
		return nil
	}
	who := l.Identity
	if from != (httpapi.Pod{}) {
		who = words(from)
	}
	return fmt.Errorf("%w at %s: %s, and this pod is %s: with hostNetwork the pods of a node share their ports, so set --http-address "+
		"to unix:PATH in a volume of the pod; else set POD_NAME and POD_UID alike for both containers, from the downward API",
		ErrOtherPod, s.address, who, words(s.pod))
}

// words names a pod to a person: what is not known of it is left out.
func words(p httpapi.Pod) string {
	known := slices.DeleteFunc([]string{p.Namespace, p.Name, p.UID}, func(part string) bool { return part == "" })
	return strings.Join(known, "/")
}

// ours reports whether an answer is our own pod's. The UID decides where both sides know it; then the name with the
// namespace. A sidecar that knows nothing of its pod has an identity all the same, and its Lease a namespace.
func ours(own, from httpapi.Pod, l leadership.Leadership) bool {
	identity := naming.Identity(l.Identity)
	switch uid := strings.TrimPrefix(l.Identity, identity.Name()+"_"); {
	case own.UID == "" && own.Name == "":
		return true
	case own.UID != "" && from.UID != "":
		return strings.EqualFold(own.UID, from.UID)
	case own.UID != "" && strings.EqualFold(own.UID, uid):
		return true
	}
	return own.Name != "" && own.Name == cmp.Or(from.Name, identity.Name()) &&
		(own.Namespace == "" || own.Namespace == cmp.Or(from.Namespace, l.Namespace))
}
