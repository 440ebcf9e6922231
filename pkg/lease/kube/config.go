package kube

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

// serviceAccountNamespace is where the kubelet writes the pod's namespace, beside the token.
const serviceAccountNamespace = "/var/run/secrets/kubernetes.io/serviceaccount/namespace"

// LoadConfig finds the API server and the credentials, and the namespace that goes with them. In a pod it takes
// the ServiceAccount's, unless a kubeconfig is named: by the arguments or by KUBECONFIG. Elsewhere it follows
// kubectl's rules: kubeconfig, else KUBECONFIG, else ~/.kube/config; context "" is the current one.
func LoadConfig(kubeconfig, context string) (*rest.Config, string, error) {
	named := kubeconfig != "" || context != "" || os.Getenv(clientcmd.RecommendedConfigPathEnvVar) != ""
	if !named && os.Getenv("KUBERNETES_SERVICE_HOST") != "" {
		return loadInCluster()
	}
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	rules.ExplicitPath = kubeconfig
	loader := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, &clientcmd.ConfigOverrides{CurrentContext: context})
	config, err := loader.ClientConfig()
	if clientcmd.IsEmptyConfig(err) {
		return nil, "", errors.New("no Kubernetes cluster is configured: set --kubeconfig or KUBECONFIG, or run in a pod with a ServiceAccount token")
	}
	if err != nil {
		return nil, "", fmt.Errorf("read the kubeconfig: %w", err)
	}
	namespace, _, err := loader.Namespace()
	if err != nil {
		return nil, "", fmt.Errorf("read the kubeconfig's namespace: %w", err)
	}
	return config, namespace, nil
}

func loadInCluster() (*rest.Config, string, error) {
	config, err := rest.InClusterConfig()
	if err != nil {
		return nil, "", fmt.Errorf("read the pod's ServiceAccount: mount its token into the sidecar (a projected volume, or automountServiceAccountToken: true): %w", err)
	}
	namespace, err := os.ReadFile(serviceAccountNamespace)
	if err != nil {
		return config, "", nil // the caller has POD_NAMESPACE or a flag, and says so where it has not
	}
	return config, strings.TrimSpace(string(namespace)), nil
}
