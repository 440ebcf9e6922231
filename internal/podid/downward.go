package podid

import (
	"fmt"
	"os"

	"github.com/lease-sidecar/lease-sidecar/pkg/naming"
)

// FromEnvironment returns what the downward API says of this pod: POD_NAMESPACE, POD_NAME and POD_UID.
func FromEnvironment() Pod {
	return Pod{Namespace: os.Getenv("POD_NAMESPACE"), Name: os.Getenv("POD_NAME"), UID: os.Getenv("POD_UID")}
}

// Labels returns this pod's labels: those of the downward API's file, and over them those of variables ([naming.LabelEnv]).
// Where the file cannot be read, it returns those of the variables beside the error.
func Labels(path string) (map[string]string, error) {
	labels, err := readLabels(path)
	if labels == nil {
		labels = map[string]string{}
	}
	for _, key := range naming.DerivationLabels() {
		if value := os.Getenv(naming.LabelEnv(key)); value != "" {
			labels[key] = value
		}
	}
	return labels, err
}

func readLabels(path string) (map[string]string, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	labels, err := naming.ParseLabels(file)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return labels, nil
}
