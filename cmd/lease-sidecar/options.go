package main

import (
	"github.com/lease-sidecar/lease-sidecar/internal/health"
	"github.com/lease-sidecar/lease-sidecar/pkg/elector"
)

// Groups of options in the help text of run.
const (
	ofElection = "ELECTION"
	ofStore    = "STORE"
	ofWorkload = "WORKLOAD"
	ofProcess  = "PROCESS SIGNALS"
	ofHealth   = "HEALTH"
	ofCluster  = "CLUSTER"
	ofLogging  = "LOGGING"
)

// The table of options, in the order of the help text.
var (
	prefixFlag        = add[textOption](option{name: "prefix", category: ofElection, value: "lease-sidecar", usage: "first part of the Lease's name: the `PRODUCT`, at most 52 characters"})
	workloadFlag      = add[textOption](option{name: "workload", category: ofElection, usage: "`KIND/NAME` that the replicas belong to, such as deployment/web", describe: "derived from the pod's name and labels"})
	leaseNameFlag     = add[textOption](option{name: "lease-name", category: ofElection, field: "Election.Lease", usage: "the Lease's whole `NAME`, instead of one made from prefix and workload"})
	namespaceFlag     = add[textOption](option{name: "namespace", alias: "n", category: ofElection, field: "Election.Namespace", usage: "`NAMESPACE` of the Lease", describe: "POD_NAMESPACE, or that of the credentials"})
	identityFlag      = add[textOption](option{name: "identity", category: ofElection, field: "Candidate.Name", usage: "`NAME` of this candidate", describe: "POD_NAME, or the host's name"})
	labelsFileFlag    = add[textOption](option{name: "labels-file", category: ofElection, value: "/etc/podinfo/labels", usage: "`FILE` of the downward API with the pod's labels; instead of it, a variable POD_LABEL_… each"})
	leaseDurationFlag = add[durationOption](option{name: "lease-duration", category: ofElection, field: "Election.Duration", value: "15s", usage: "`TIME` after which a Lease that nobody renews is free: whole seconds, the same for all replicas"})
	renewDeadlineFlag = add[durationOption](option{name: "renew-deadline", category: ofElection, field: "Election.RenewDeadline", usage: "`TIME` for which one renewal lets this replica lead", describe: "2/3 of the lease duration"})
	renewIntervalFlag = add[durationOption](option{name: "renew-interval", alias: "retry-period", category: ofElection, field: "Election.RenewInterval", usage: "`TIME` from one renewal to the next", describe: "1/5 of the lease duration, at least 1s"})
	priorityFlag      = add[numberOption](option{name: "priority", category: ofElection, field: "Election.Priority", value: "10", most: elector.MaxPriority, usage: "`NUMBER` from 0 to 10, which is first in line: each step below waits 50ms longer for a free Lease"})
	foreignGraceFlag  = add[durationOption](option{name: "foreign-grace", category: ofElection, field: "Election.ForeignGrace", value: "18s", usage: "`TIME` to wait longer after a holder of another kind; 18s suits client-go's defaults"})

	storeFlag      = add[textOption](option{name: "store", category: ofStore, field: "Store", value: "kube", usage: "`STORE` of the Lease: kube, or dir:PATH for replicas on one machine"})
	kubeconfigFlag = add[textOption](option{name: "kubeconfig", category: ofStore, usage: "`FILE` with the API server's address and credentials", describe: "the pod's ServiceAccount, $KUBECONFIG or ~/.kube/config"})
	contextFlag    = add[textOption](option{name: "context", category: ofStore, usage: "`CONTEXT` of the kubeconfig", describe: "its current one"})

	signalDirFlag      = add[textOption](option{name: "signal-dir", category: ofWorkload, field: "SignalDir", usage: "`DIRECTORY` shared with the workload, for the files state.json and leader"})
	httpAddressFlag    = add[addressOption](option{name: "http-address", category: ofWorkload, field: "HTTPAddress", value: "127.0.0.1:4040", usage: "`ADDRESS` at which the sidecar answers its pod: host:port, unix:PATH, or off"})
	compatFlag         = add[choiceOption](option{name: "compat", category: ofWorkload, value: "off", choices: []string{"off", "classic", "nais"}, usage: "`SIDECAR` to answer like at --http-address: classic, nais, or off"})
	probeAddressFlag   = add[addressOption](option{name: "probe-address", category: ofWorkload, field: "ProbeAddress", value: ":4041", usage: "`ADDRESS` of /livez, /readyz, /startupz, /metrics: host:port, or off"})
	allowStepDownFlag  = addToggle(option{name: "allow-step-down", category: ofWorkload, value: "true", usage: "true or false (`BOOL`): may any container of the pod ask for a handover"})
	placementFlag      = add[choiceOption](option{name: "placement", category: ofWorkload, value: "native", choices: []string{"native", "classic"}, usage: "`KIND` of sidecar: native or classic; either way SIGTERM to the sidecar shows nothing of the workload"})
	stopTimeoutFlag    = add[durationOption](option{name: "stop-timeout", category: ofWorkload, field: "StopTimeout", value: "30s", usage: "`TIME` that a workload gets to stop in a planned handover: one that is seen to run is waited for so long, and killed then where something kills it"})
	watchProcessesFlag = add[choiceOption](option{name: "watch-processes", category: ofWorkload, field: "WatchProcesses", choices: []string{"all"}, usage: "all: the workload has stopped when `WHICH` processes of the pod, other than the sidecar's, have ended; for shareProcessNamespace"})
	watchExceptFlag    = add[textOption](option{name: "watch-processes-except", category: ofWorkload, field: "WatchExcept", usage: "`NAMES` of programs that --watch-processes leaves out, with commas between, such as envoy,pilot-agent"})
	watchPodFlag       = addToggle(option{name: "watch-pod", category: ofWorkload, field: "WatchPod", value: "false", usage: "true or false (`BOOL`): the workload has stopped when the pod is being deleted and its other containers have terminated, by the API server"})
	watchContainerFlag = add[textOption](option{name: "watch-pod-container", category: ofWorkload, value: "lease-sidecar", usage: "`NAME` of the sidecar's own container, for --watch-pod"})
	drainTimeoutFlag   = add[durationOption](option{name: "drain-timeout", category: ofWorkload, value: "0s", usage: "`TIME` in which the workload always stops once it is asked to, by your promise; 0s: no promise"})
	onLossFlag         = add[choiceOption](option{name: "on-loss", category: ofWorkload, value: "stand-by", choices: []string{"stand-by", "exit"}, usage: "`CHOICE` when leadership is lost without a handover: stand-by, or exit with status 4 once every signal is applied"})

	processNameFlag = add[textOption](option{name: "process-name", category: ofProcess, field: "Process.Name", usage: "`NAME` of the workload's process, as its comm or argv[0]: send it signals, and see it end"})
	pidFileFlag     = add[textOption](option{name: "pid-file", category: ofProcess, field: "Process.PIDFile", usage: "`FILE` with the pid of the workload's process, in the pid namespace that the sidecar shares"})
	onElectedFlag   = add[textOption](option{name: "on-elected", category: ofProcess, field: "Process.OnElected", usage: "`SIGNAL` that the process gets when this replica leads, such as HUP, USR1 or CONT"})
	onLostFlag      = add[textOption](option{name: "on-lost", category: ofProcess, field: "Process.OnLost", usage: "`SIGNAL` that the process gets when this replica does not lead, such as USR2, TERM or STOP"})
	fenceFlag       = add[choiceOption](option{name: "fence", category: ofProcess, field: "Process.Fence", value: "none", choices: []string{"none", "kill"}, usage: "none, or kill: what `FOLLOWS` --on-lost where the process has not ended when another replica may soon lead"})

	onChildExitFlag = add[choiceOption](option{name: "on-child-exit", category: ofWorkload, value: "standby", choices: []string{"standby", "exit"}, usage: "`CHOICE` when the command after -- ends by itself: standby (hand over, and stand by again after a pause), or exit with its status"})

	healthURLFlag       = add[textOption](option{name: "health-url", category: ofHealth, field: "Health.URL", usage: "`URL` that answers 200 to 399 while the workload is healthy"})
	healthTCPFlag       = add[textOption](option{name: "health-tcp", category: ofHealth, field: "Health.TCP", usage: "`ADDRESS` that takes connections while the workload is healthy: host:port or unix:PATH"})
	healthFileFlag      = add[textOption](option{name: "health-file", category: ofHealth, field: "Health.File", usage: "`FILE` that is there while the workload is healthy"})
	healthMaxAgeFlag    = add[durationOption](option{name: "health-file-max-age", category: ofHealth, field: "Health.FileMaxAge", value: "0s", usage: "`TIME` since the last change of --health-file after which it no longer counts; 0s: it always counts"})
	healthIntervalFlag  = add[durationOption](option{name: "health-interval", category: ofHealth, field: "Health.Interval", value: "1s", usage: "`TIME` from one health check to the next"})
	healthTimeoutFlag   = add[durationOption](option{name: "health-timeout", category: ofHealth, field: "Health.Timeout", usage: "`TIME` that one health check may take", describe: "the interval, at most 1s"})
	healthThresholdFlag = add[numberOption](option{name: "health-threshold", category: ofHealth, field: "Health.Threshold", value: "3", least: 1, most: health.MaxThreshold, usage: "`NUMBER` of failed checks in a row that make the workload unhealthy"})
	healthSuccessesFlag = add[numberOption](option{name: "health-success-threshold", category: ofHealth, field: "Health.SuccessThreshold", value: "1", least: 1, most: health.MaxThreshold, usage: "`NUMBER` of passed checks in a row that make the workload healthy"})
	healthGraceFlag     = add[durationOption](option{name: "health-start-grace", category: ofHealth, usage: "`TIME` from the start, and from the begin of each term, in which failed checks do not count until one has passed", describe: "0s; 30s with --health-while leading"})
	healthCooldownFlag  = add[durationOption](option{name: "health-cooldown", category: ofHealth, value: "10s", usage: "`TIME` for which a leader that became unhealthy counts as unhealthy, at least"})
	healthWhileFlag     = add[choiceOption](option{name: "health-while", category: ofHealth, choices: []string{"always", "leading"}, usage: "always, or leading where the workload runs only while this replica leads: `WHEN` it is checked", describe: "leading where the sidecar runs a command, or --on-lost stops the process; else always"})
	healthStopFlag      = addToggle(option{name: "health-proves-stop", category: ofHealth, value: "true", usage: "true or false (`BOOL`): does the health endpoint's end show that the workload has stopped"})
	allUnhealthyFlag    = add[choiceOption](option{name: "when-all-unhealthy", former: "when-all-unfit", category: ofHealth, value: "wait", choices: []string{"wait", "lead"}, usage: "`CHOICE` of an unhealthy replica where no healthy one leads: wait (nobody leads), or lead after one more lease duration"})

	labelFlag           = add[textOption](option{name: "label", category: ofCluster, field: "Label", usage: "`KEY[=VALUE]` that the leader's pod has and no other pod of the election; the value is leader by default"})
	webhookURLFlag      = add[textOption](option{name: "webhook-url", category: ofCluster, field: "Webhook.URL", usage: "`URL` to which each transition's document is sent by POST, on loopback or in the cluster"})
	webhookTimeoutFlag  = add[durationOption](option{name: "webhook-timeout", category: ofCluster, field: "Webhook.Timeout", value: "3s", usage: "`TIME` that one call of the webhook may take"})
	webhookStatusesFlag = add[textOption](option{name: "webhook-success-status", category: ofCluster, field: "Webhook.Success", value: "2xx", usage: "`STATUSES` by which the webhook says that it has taken the document, such as 2xx or 200,204"})
	eventsFlag          = addToggle(option{name: "events", category: ofCluster, field: "Events", value: "false", usage: "true or false (`BOOL`): record Events on the Lease, as client-go does"})

	logFormatFlag = add[choiceOption](option{name: "log-format", category: ofLogging, value: "json", choices: []string{"json", "text"}, usage: "`FORMAT` of the log on stderr: json or text"})
	logLevelFlag  = add[choiceOption](option{name: "log-level", category: ofLogging, value: "info", choices: []string{"debug", "info", "warn", "error"}, usage: "`LEVEL` of the log: debug, info, warn or error"})

	tokenFlag   = add[textOption](option{name: "token", usage: "`TOKEN` of the term whose work has stopped", describe: "the term that drains now"})
	forFlag     = add[choiceOption](option{name: "for", value: "leader", choices: []string{"leader", "elected"}, usage: "`WHAT` to wait for: leader (this replica leads) or elected (any replica does)"})
	timeoutFlag = add[durationOption](option{name: "timeout", value: "0s", usage: "`TIME` after which to give up; 0s: never"})
)
