package naming_test

import (
	"errors"
	"fmt"

	"github.com/lease-sidecar/lease-sidecar/pkg/naming"
)

// All replicas of deployment/web derive one Lease name, and so does a chart's template:
//
//	printf "%s-%s" $prefix (printf "deployment/%s" $name | sha256sum | trunc 10)
func ExampleNewLeaseName() {
	name, err := naming.NewLeaseName("acme", naming.Workload{Kind: "deployment", Name: "web"})
	fmt.Println(name, err)
	// Output: acme-752b7817f6 <nil>
}

// A pod's name and labels prove its workload, or the workload has to be given.
func ExampleDerive() {
	workload, err := naming.Derive(naming.Pod{
		Name: "web-6d4cf56db6-x7k2p", Labels: map[string]string{"pod-template-hash": "6d4cf56db6"},
	})
	fmt.Println(workload, err)
	_, err = naming.Derive(naming.Pod{Name: "web"})
	fmt.Println(errors.Is(err, naming.ErrUnproven))
	// Output:
	// deployment/web <nil>
	// true
}

// The name part of an identity is the pod's.
func ExampleIdentity_Name() {
	id, err := naming.NewIdentity("web-5d9", "0b1f6f0e-38c1-4d0c-9a43-2f6e0f6f7a11")
	fmt.Println(id.Name(), err)
	// Output: web-5d9 <nil>
}
