package naming

// Keys that the election writes on the Lease.
const (
	// LabelElection marks the Leases that belong to lease-sidecar; its value is "true".
	LabelElection = "lease-sidecar.dev/election"
	// AnnotationWorkload names the workload whose election the Lease carries, such as "deployment/web".
	AnnotationWorkload = "lease-sidecar.dev/workload"
	// AnnotationFencedBy carries the holder's mark; see package lease.
	AnnotationFencedBy = "lease-sidecar.dev/fenced-by"
)
