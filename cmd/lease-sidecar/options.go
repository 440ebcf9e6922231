package main

// Groups of options in the help text.
const (
	ofElection = "ELECTION"
	ofStore    = "STORE"
	ofWorkload = "WORKLOAD"
	ofLogging  = "LOGGING"
)

// options is the one table of flags, in the order of the help text.
var options = []option{
	{name: "prefix", category: ofElection, value: "lease-sidecar", usage: "first part of the Lease's name: the `PRODUCT`, at most 52 characters"},
	{name: "workload", category: ofElection, usage: "`KIND/NAME` that the replicas belong to, such as deployment/web", describe: "derived from the pod's name and labels"},
	{name: "lease-name", category: ofElection, usage: "the Lease's whole `NAME`, instead of one made from prefix and workload"},
	{name: "namespace", alias: "n", category: ofElection, usage: "`NAMESPACE` of the Lease", describe: "POD_NAMESPACE, or that of the credentials"},
	{name: "identity", category: ofElection, usage: "`NAME` of this candidate", describe: "POD_NAME, or the host's name"},
	{name: "labels-file", category: ofElection, value: "/etc/podinfo/labels", usage: "`FILE` of the downward API with the pod's labels; instead of it, a variable POD_LABEL_… each"},
	{name: "lease-duration", category: ofElection, value: "15s", usage: "`TIME` after which a Lease that nobody renews is free: whole seconds, the same for all replicas"},
	{name: "renew-deadline", category: ofElection, usage: "`TIME` for which one renewal lets this replica lead", describe: "2/3 of the lease duration"},
	{name: "renew-interval", alias: "retry-period", category: ofElection, usage: "`TIME` from one renewal to the next", describe: "1/5 of the lease duration, at least 1s"},
	{name: "foreign-grace", category: ofElection, value: "18s", usage: "`TIME` to wait longer after a holder of another kind; 18s fits client-go's defaults"},

	{name: "store", category: ofStore, value: "kube", usage: "`STORE` of the Lease: kube, or dir:PATH for replicas on one machine"},
	{name: "kubeconfig", category: ofStore, usage: "`FILE` with the API server's address and credentials", describe: "the pod's ServiceAccount, $KUBECONFIG or ~/.kube/config"},
	{name: "context", category: ofStore, usage: "`CONTEXT` of the kubeconfig", describe: "its current one"},

	{name: "signal-dir", category: ofWorkload, usage: "`DIRECTORY` shared with the workload, for the files state.json and leader"},
	{name: "http-address", category: ofWorkload, value: "127.0.0.1:4040", usage: "`ADDRESS` at which the sidecar answers its pod: host:port, unix:PATH, or off"},
	{name: "probe-address", category: ofWorkload, value: ":4041", usage: "`ADDRESS` of /livez, /readyz, /startupz, /metrics: host:port, or off"},
	{name: "allow-step-down", category: ofWorkload, value: "true", usage: "true or false (`BOOL`): may any container of the pod ask for a handover", toggle: true},
	{name: "placement", category: ofWorkload, value: "native", usage: "`KIND` of sidecar: native (it gets SIGTERM after the workload has exited) or classic (both get it at once)"},
	{name: "drain-timeout", category: ofWorkload, value: "0s", usage: "`TIME` in which the workload always stops once it is told to, by your promise; 0s: no promise"},

	{name: "log-format", category: ofLogging, value: "json", usage: "`FORMAT` of the log on stderr: json or text"},
	{name: "log-level", category: ofLogging, value: "info", usage: "`LEVEL` of the log: debug, info, warn or error"},

	{name: "for", value: "leader", usage: "`WHAT` to wait for: leader (this replica leads) or elected (any replica does)"},
	{name: "timeout", value: "0s", usage: "`TIME` after which to give up; 0s: never"},
}
