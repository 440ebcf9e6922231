package main

import (
	"os"

	"github.com/lease-sidecar/lease-sidecar/internal/client"
	"github.com/lease-sidecar/lease-sidecar/internal/podid"
)

// local returns the sidecar that --http-address names. Only that of this pod is believed, where the pod is known.
func (a answers) local() *client.Sidecar {
	address := a.address("http-address")
	if address == "" {
		a.addf("--http-address is off: without it the sidecar cannot be asked")
		return nil
	}
	sidecar, err := client.New(address, thisPod())
	a.of("http-address", err)
	return sidecar
}

// thisPod returns what the downward API says of this pod.
func thisPod() podid.Pod {
	return podid.Pod{Namespace: os.Getenv("POD_NAMESPACE"), Name: os.Getenv("POD_NAME"), UID: os.Getenv("POD_UID")}
}
