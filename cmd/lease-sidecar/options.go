package main

// Groups of options in the help text.
const (
	ofElection = "ELECTION"
	ofStore    = "STORE"
	ofWorkload = "WORKLOAD"
	ofProcess  = "PROCESS SIGNALS"
	ofHealth   = "HEALTH"
	ofCluster  = "CLUSTER"
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
	{name: "priority", category: ofElection, value: "10", usage: "`NUMBER` from 0 to 10, which is first in line: each step below waits 50ms longer for a free Lease"},
	{name: "foreign-grace", category: ofElection, value: "18s", usage: "`TIME` to wait longer after a holder of another kind; 18s fits client-go's defaults"},

	{name: "store", category: ofStore, value: "kube", usage: "`STORE` of the Lease: kube, or dir:PATH for replicas on one machine"},
	{name: "kubeconfig", category: ofStore, usage: "`FILE` with the API server's address and credentials", describe: "the pod's ServiceAccount, $KUBECONFIG or ~/.kube/config"},
	{name: "context", category: ofStore, usage: "`CONTEXT` of the kubeconfig", describe: "its current one"},

	{name: "signal-dir", category: ofWorkload, usage: "`DIRECTORY` shared with the workload, for the files state.json and leader"},
	{name: "http-address", category: ofWorkload, value: "127.0.0.1:4040", usage: "`ADDRESS` at which the sidecar answers its pod: host:port, unix:PATH, or off"},
	{name: "compat", category: ofWorkload, value: "off", usage: "`SIDECAR` to answer like at --http-address: classic, nais, or off"},
	{name: "probe-address", category: ofWorkload, value: ":4041", usage: "`ADDRESS` of /livez, /readyz, /startupz, /metrics: host:port, or off"},
	{name: "allow-step-down", category: ofWorkload, value: "true", usage: "true or false (`BOOL`): may any container of the pod ask for a handover", toggle: true},
	{name: "placement", category: ofWorkload, value: "native", usage: "`KIND` of sidecar: native or classic; either way SIGTERM to the sidecar shows nothing of the workload"},
	{name: "stop-timeout", category: ofWorkload, value: "30s", usage: "`TIME` that a workload gets to stop in a planned handover: one that is seen to run is waited for so long, and killed then where something kills it"},
	{name: "watch-processes", category: ofWorkload, usage: "all: the workload has stopped when `WHICH` processes of the pod, other than the sidecar's, have ended; for shareProcessNamespace"},
	{name: "watch-processes-except", category: ofWorkload, usage: "`NAMES` of programs that --watch-processes leaves out, with commas between, such as envoy,pilot-agent"},
	{name: "watch-pod", category: ofWorkload, value: "false", usage: "true or false (`BOOL`): the workload has stopped when the pod is being deleted and its other containers have terminated, by the API server", toggle: true},
	{name: "watch-pod-container", category: ofWorkload, value: "lease-sidecar", usage: "`NAME` of the sidecar's own container, for --watch-pod"},
	{name: "drain-timeout", category: ofWorkload, value: "0s", usage: "`TIME` in which the workload always stops once it is told to, by your promise; 0s: no promise"},
	{name: "on-loss", category: ofWorkload, value: "stand-by", usage: "`CHOICE` when leadership is lost without a handover: stand-by, or exit with status 4 once everything was told"},

	{name: "process-name", category: ofProcess, usage: "`NAME` of the workload's process, as its comm or argv[0]: tell it by signals, and see it end"},
	{name: "pid-file", category: ofProcess, usage: "`FILE` with the pid of the workload's process, in the pid namespace that the sidecar shares"},
	{name: "on-elected", category: ofProcess, usage: "`SIGNAL` that the process gets when this replica leads, such as HUP, USR1 or CONT"},
	{name: "on-lost", category: ofProcess, usage: "`SIGNAL` that the process gets when this replica does not lead, such as USR2, TERM or STOP"},
	{name: "fence", category: ofProcess, value: "none", usage: "none, or kill: what `FOLLOWS` --on-lost where the process has not ended when another replica may soon lead"},

	{name: "on-child-exit", category: ofWorkload, value: "standby", usage: "`CHOICE` when the command after -- ends by itself: standby (hand over, and stand by again after a pause), or exit with its status"},

	{name: "health-url", category: ofHealth, usage: "`URL` that answers 200 to 399 while the workload is fit to lead"},
	{name: "health-tcp", category: ofHealth, usage: "`ADDRESS` that takes connections while the workload is fit to lead: host:port or unix:PATH"},
	{name: "health-file", category: ofHealth, usage: "`FILE` that is there while the workload is fit to lead"},
	{name: "health-file-max-age", category: ofHealth, value: "0s", usage: "`TIME` since the last change of --health-file after which it no longer counts; 0s: it always counts"},
	{name: "health-interval", category: ofHealth, value: "1s", usage: "`TIME` from one health check to the next"},
	{name: "health-timeout", category: ofHealth, usage: "`TIME` that one health check may take", describe: "the interval, at most 1s"},
	{name: "health-threshold", category: ofHealth, value: "3", usage: "`NUMBER` of failed checks in a row that make the workload unfit"},
	{name: "health-success-threshold", category: ofHealth, value: "1", usage: "`NUMBER` of passed checks in a row that make the workload fit"},
	{name: "health-start-grace", category: ofHealth, usage: "`TIME` from the start, and from the begin of each term, in which failed checks do not count until one has passed", describe: "0s; 30s with --health-while leading"},
	{name: "health-cooldown", category: ofHealth, value: "10s", usage: "`TIME` for which a leader that became unfit stays unfit, at least"},
	{name: "health-while", category: ofHealth, usage: "always, or leading where the workload runs only while this replica leads: `WHEN` it is checked", describe: "leading where the sidecar runs a command, or --on-lost stops the process; else always"},
	{name: "health-proves-stop", category: ofHealth, value: "true", usage: "true or false (`BOOL`): does the health endpoint's end show that the workload has stopped", toggle: true},
	{name: "when-all-unfit", category: ofHealth, value: "wait", usage: "`CHOICE` of an unfit replica where no fit one leads: wait (nobody leads), or lead after one more lease duration"},

	{name: "label", category: ofCluster, usage: "`KEY[=VALUE]` that the leader's pod bears and no other of the election; the value is leader by default"},
	{name: "webhook-url", category: ofCluster, usage: "`URL` to which each transition's document is sent by POST, on loopback or in the cluster"},
	{name: "webhook-timeout", category: ofCluster, value: "3s", usage: "`TIME` that one call of the webhook may take"},
	{name: "webhook-success-status", category: ofCluster, value: "2xx", usage: "`STATUSES` by which the webhook says that it has taken the document, such as 2xx or 200,204"},
	{name: "events", category: ofCluster, value: "false", usage: "true or false (`BOOL`): record Events on the Lease, as client-go does", toggle: true},

	{name: "log-format", category: ofLogging, value: "json", usage: "`FORMAT` of the log on stderr: json or text"},
	{name: "log-level", category: ofLogging, value: "info", usage: "`LEVEL` of the log: debug, info, warn or error"},

	{name: "token", usage: "`TOKEN` of the term whose work has stopped", describe: "the term that drains now"},
	{name: "for", value: "leader", usage: "`WHAT` to wait for: leader (this replica leads) or elected (any replica does)"},
	{name: "timeout", value: "0s", usage: "`TIME` after which to give up; 0s: never"},
}
