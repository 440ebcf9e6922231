package main

import "github.com/lease-sidecar/lease-sidecar/internal/client"

// local returns the sidecar that --http-address names.
func (a answers) local() *client.Sidecar {
	address := a.address("http-address")
	if address == "" {
		a.addf("--http-address is off: without it the sidecar cannot be asked")
		return nil
	}
	sidecar, err := client.New(address)
	a.of("http-address", err)
	return sidecar
}
