package httpapi

import (
	"net/http"
	"strings"
)

// PodHeader is the response header by which a client tells its own pod's sidecar from another's: with hostNetwork the pods
// of a node share their ports.
const PodHeader = "Lease-Sidecar-Pod"

// Pod is a pod as the downward API describes it to its containers; what is unknown is "".
type Pod struct {
	// Namespace, Name and UID are metadata.namespace, metadata.name and metadata.uid.
	Namespace, Name, UID string
}

// String returns "NAMESPACE/NAME/UID", the header's value.
func (p Pod) String() string { return p.Namespace + "/" + p.Name + "/" + p.UID }

// ParsePod reads what [Pod.String] prints. Anything else is a pod of which nothing is known.
func ParsePod(s string) Pod {
	parts := strings.Split(s, "/")
	if len(parts) != 3 {
		return Pod{}
	}
	return Pod{Namespace: parts[0], Name: parts[1], UID: parts[2]}
}

// header says on every answer which pod's sidecar gives it, where that is known.
func (p Pod) header(h http.Handler) http.Handler {
	if p == (Pod{}) {
		return h
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set(PodHeader, p.String())
		h.ServeHTTP(w, r)
	})
}
