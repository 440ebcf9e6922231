package main

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"k8s.io/client-go/rest"

	"github.com/lease-sidecar/lease-sidecar/pkg/lease/kube"
	"github.com/lease-sidecar/lease-sidecar/pkg/naming"
)

// place is where Leases are: at an API server or in a directory. It is empty where a fault is recorded.
type place struct {
	rest *rest.Config
	dir  string
}

// place reads where Leases are, and the namespace of the credentials.
func (a answers) place() (p place, namespace string) {
	text := a.Text(storeFlag)
	path, isDir := strings.CutPrefix(text, "dir:")
	switch {
	case text == "kube":
		config, namespace, err := kube.LoadConfig(a.Text(kubeconfigFlag), a.Text(contextFlag))
		if errors.Is(err, kube.ErrNoCluster) {
			err = fmt.Errorf("%w: set --kubeconfig or KUBECONFIG, or run in a pod with a ServiceAccount token", err)
		}
		if err != nil {
			a.Addf("--store kube: %w; for replicas on one machine set --store dir:PATH", err)
		}
		return place{rest: config}, namespace
	case isDir && path != "":
		if _, err := os.Stat(filepath.Dir(path)); err != nil {
			a.Addf("--store %q: %w: make that directory first", text, err)
		}
		return place{dir: path}, "default"
	}
	a.Refuse(storeFlag, "kube, or dir:PATH")
	return place{}, "default"
}

// namespace returns the Lease's namespace. fallback is the credentials'.
func (a answers) namespace(fallback string) string {
	namespace := cmp.Or(a.Text(namespaceFlag), os.Getenv("POD_NAMESPACE"), fallback)
	switch {
	case namespace != "":
		a.Of(namespaceFlag, naming.ValidateNamespace(namespace))
	case a.Err() == nil: // otherwise an earlier fault may explain it
		a.Addf("no namespace: set --namespace, or POD_NAMESPACE from the downward API")
	}
	return namespace
}
