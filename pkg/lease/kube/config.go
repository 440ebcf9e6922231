package kube

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/klog/v2"
)

// serviceAccountNamespace is where the kubelet writes the pod's namespace, beside the token.
const serviceAccountNamespace = "/var/run/secrets/kubernetes.io/serviceaccount/namespace"

// ErrNoCluster is returned by [LoadConfig] where no kubeconfig, KUBECONFIG or ServiceAccount of a pod names an API server.
var ErrNoCluster = errors.New("no Kubernetes cluster is configured")

// LoadConfig finds the API server, the credentials and their namespace: in a pod the ServiceAccount's, unless the arguments or
// KUBECONFIG name a kubeconfig; elsewhere by kubectl's rules. kubeContext "" is the current one.
func LoadConfig(kubeconfig, kubeContext string) (*rest.Config, string, error) {
	named := kubeconfig != "" || kubeContext != "" || os.Getenv(clientcmd.RecommendedConfigPathEnvVar) != ""
	if !named && os.Getenv("KUBERNETES_SERVICE_HOST") != "" {
		return loadInCluster()
	}
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	rules.ExplicitPath = kubeconfig
	loader := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, &clientcmd.ConfigOverrides{CurrentContext: kubeContext})
	config, err := loader.ClientConfig()
	if clientcmd.IsEmptyConfig(err) {
		return nil, "", ErrNoCluster
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
		return config, "", nil // the caller may know the namespace from elsewhere, and reports where it does not
	}
	return config, strings.TrimSpace(string(namespace)), nil
}

// RouteClientLogs sends what client-go and its libraries log to log, as debug records: they would write to standard error in a
// format of their own, and every failed request also returns its error. It sets a global variable of klog.
func RouteClientLogs(log *slog.Logger) {
	klog.SetSlogLogger(slog.New(lowered{log.Handler()}))
}

// lowered passes every record on as a debug record.
type lowered struct{ slog.Handler }

// Enabled implements [slog.Handler].
func (l lowered) Enabled(ctx context.Context, _ slog.Level) bool {
	return l.Handler.Enabled(ctx, slog.LevelDebug)
}

// Handle implements [slog.Handler]. It asks again whether debug is enabled, as klog's errors come unasked.
func (l lowered) Handle(ctx context.Context, r slog.Record) error {
	if !l.Enabled(ctx, r.Level) {
		return nil
	}
	r.Level = slog.LevelDebug
	return l.Handler.Handle(ctx, r)
}

// WithAttrs implements [slog.Handler].
func (l lowered) WithAttrs(attrs []slog.Attr) slog.Handler {
	return lowered{l.Handler.WithAttrs(attrs)}
}

// WithGroup implements [slog.Handler].
func (l lowered) WithGroup(name string) slog.Handler { return lowered{l.Handler.WithGroup(name)} }
