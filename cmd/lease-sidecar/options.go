package main

import (
	"github.com/urfave/cli/v2"

	"github.com/lease-sidecar/lease-sidecar/internal/health"
	"github.com/lease-sidecar/lease-sidecar/internal/options"
	"github.com/lease-sidecar/lease-sidecar/pkg/elector"
	"github.com/lease-sidecar/lease-sidecar/pkg/signals/child"
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

// table holds all options, in the order of the help text.
var table options.Table

// The rows of the table.
var (
	prefixFlag        = table.Text(options.Option{Name: "prefix", Group: ofElection, Default: "lease-sidecar", Usage: "first part of the Lease's name: the `PRODUCT`, at most 52 characters"})
	workloadFlag      = table.Text(options.Option{Name: "workload", Group: ofElection, Usage: "`KIND/NAME` that the replicas belong to, such as deployment/web", Describe: "derived from the pod's name and labels"})
	leaseNameFlag     = table.Text(options.Option{Name: "lease-name", Group: ofElection, Field: "Election.Lease", Usage: "the Lease's whole `NAME`, instead of one made from prefix and workload"})
	namespaceFlag     = table.Text(options.Option{Name: "namespace", Alias: "n", Group: ofElection, Field: "Election.Namespace", Usage: "`NAMESPACE` of the Lease", Describe: "POD_NAMESPACE, or that of the credentials"})
	identityFlag      = table.Text(options.Option{Name: "identity", Group: ofElection, Field: "Replica.Name", Usage: "`NAME` of this candidate", Describe: "POD_NAME, or the host's name"})
	labelsFileFlag    = table.Text(options.Option{Name: "labels-file", Group: ofElection, Default: "/etc/podinfo/labels", Usage: "`FILE` of the downward API with the pod's labels; instead of it, a variable POD_LABEL_… each"})
	leaseDurationFlag = table.Duration(options.Option{Name: "lease-duration", Group: ofElection, Field: "Election.Duration", Default: "15s", Usage: "`TIME` after which a Lease that nobody renews is free: whole seconds, the same for all replicas"})
	renewDeadlineFlag = table.Duration(options.Option{Name: "renew-deadline", Group: ofElection, Field: "Election.RenewDeadline", Usage: "`TIME` for which one renewal lets this replica lead", Describe: "2/3 of the lease duration"})
	renewIntervalFlag = table.Duration(options.Option{Name: "renew-interval", Alias: "retry-period", Group: ofElection, Field: "Election.RenewInterval", Usage: "`TIME` from one renewal to the next", Describe: "1/5 of the lease duration, at least 1s"})
	priorityFlag      = table.Number(options.Option{Name: "priority", Group: ofElection, Field: "Election.Priority", Default: "10", Most: elector.MaxPriority, Usage: "`NUMBER` from 0 to 10, which is first in line: each step below waits 50ms longer for a free Lease"})
	foreignGraceFlag  = table.Duration(options.Option{Name: "foreign-grace", Group: ofElection, Field: "Election.ForeignGrace", Default: "18s", Usage: "`TIME` to wait longer after a holder of another kind; 18s suits client-go's defaults"})

	storeFlag      = table.Text(options.Option{Name: "store", Group: ofStore, Field: "Store", Default: "kube", Usage: "`STORE` of the Lease: kube, or dir:PATH for replicas on one machine"})
	kubeconfigFlag = table.Text(options.Option{Name: "kubeconfig", Group: ofStore, Usage: "`FILE` with the API server's address and credentials", Describe: "the pod's ServiceAccount, $KUBECONFIG or ~/.kube/config"})
	contextFlag    = table.Text(options.Option{Name: "context", Group: ofStore, Usage: "`CONTEXT` of the kubeconfig", Describe: "its current one"})

	signalDirFlag      = table.Text(options.Option{Name: "signal-dir", Group: ofWorkload, Field: "SignalDir", Usage: "`DIRECTORY` shared with the workload, for the files state.json and leader"})
	httpAddressFlag    = table.Address(options.Option{Name: "http-address", Group: ofWorkload, Field: "HTTPAddress", Default: "127.0.0.1:4040", Usage: "`ADDRESS` at which the sidecar answers its pod: host:port, unix:PATH, or off"})
	compatFlag         = table.Choice(options.Option{Name: "compat", Group: ofWorkload, Default: "off", Choices: []string{"off", "classic", "nais"}, Usage: "`SIDECAR` to answer like at --http-address: classic, nais, or off"})
	probeAddressFlag   = table.Address(options.Option{Name: "probe-address", Group: ofWorkload, Field: "ProbeAddress", Default: ":4041", Usage: "`ADDRESS` of /livez, /readyz, /startupz, /metrics: host:port, or off"})
	allowStepDownFlag  = table.Toggle(options.Option{Name: "allow-step-down", Group: ofWorkload, Default: "true", Usage: "true or false (`BOOL`): may any container of the pod ask for a handover"})
	placementFlag      = table.Choice(options.Option{Name: "placement", Group: ofWorkload, Default: "native", Choices: []string{"native", "classic"}, Usage: "`KIND` of sidecar, native or classic: it is accepted and changes nothing, since the sights judge whether the workload has stopped"})
	stopTimeoutFlag    = table.Duration(options.Option{Name: "stop-timeout", Group: ofWorkload, Field: "StopTimeout", Default: "30s", Usage: "`TIME` that a workload gets to stop in a planned handover: one that is seen to run is waited for so long, and killed then where something kills it"})
	watchProcessesFlag = table.Choice(options.Option{Name: "watch-processes", Group: ofWorkload, Field: "WatchProcesses", Choices: []string{"all"}, Usage: "all: the workload has stopped when `WHICH` processes of the pod, other than the sidecar's, have ended; for shareProcessNamespace"})
	watchExceptFlag    = table.Text(options.Option{Name: "watch-processes-except", Group: ofWorkload, Field: "WatchExcept", Usage: "`NAMES` of programs that --watch-processes leaves out, with commas between, such as envoy,pilot-agent"})
	watchPodFlag       = table.Toggle(options.Option{Name: "watch-pod", Group: ofWorkload, Field: "WatchPod", Needs: "Pod", Default: "false", Usage: "true or false (`BOOL`): the workload has stopped when the pod is being deleted and its other containers have terminated, by the API server"})
	watchContainerFlag = table.Text(options.Option{Name: "watch-pod-container", Group: ofWorkload, Default: "lease-sidecar", Usage: "`NAME` of the sidecar's own container, for --watch-pod"})
	drainTimeoutFlag   = table.Duration(options.Option{Name: "drain-timeout", Group: ofWorkload, Default: "0s", Usage: "`TIME` in which the workload always stops once it is asked to, by your promise; 0s: no promise"})
	onLossFlag         = table.Choice(options.Option{Name: "on-loss", Group: ofWorkload, Default: "stand-by", Choices: []string{"stand-by", "exit"}, Usage: "`CHOICE` when leadership is lost without a handover: stand-by, or exit with status 4 once every signal is applied"})

	processNameFlag = table.Text(options.Option{Name: "process-name", Group: ofProcess, Field: "Process.Target.Name", Usage: "`NAME` of the workload's process, as its comm or argv[0]: send it signals, and see it end"})
	pidFileFlag     = table.Text(options.Option{Name: "pid-file", Group: ofProcess, Field: "Process.Target.PIDFile", Usage: "`FILE` with the pid of the workload's process, in the pid namespace that the sidecar shares"})
	onElectedFlag   = table.Text(options.Option{Name: "on-elected", Group: ofProcess, Field: "Process.OnElected", Usage: "`SIGNAL` that the process gets when this replica leads, such as HUP, USR1 or CONT"})
	onLostFlag      = table.Text(options.Option{Name: "on-lost", Group: ofProcess, Field: "Process.OnLost", Usage: "`SIGNAL` that the process gets when this replica does not lead, such as USR2, TERM or STOP"})
	fenceFlag       = table.Choice(options.Option{Name: "fence", Group: ofProcess, Field: "Process.Fence", Default: "none", Choices: []string{"none", "kill"}, Usage: "none, or kill: what `FOLLOWS` --on-lost where the process has not ended when another replica may soon lead"})

	onChildExitFlag = table.Choice(options.Option{Name: "on-child-exit", Group: ofWorkload, Default: "standby", Choices: []string{"standby", "exit"}, Usage: "`CHOICE` when the command after -- ends by itself: standby (hand over, and stand by again after a pause), or exit with its status"})

	healthURLFlag       = table.Text(options.Option{Name: "health-url", Group: ofHealth, Field: "Health.URL", Usage: "`URL` that answers 200 to 399 while the workload is healthy"})
	healthTCPFlag       = table.Text(options.Option{Name: "health-tcp", Group: ofHealth, Field: "Health.TCP", Usage: "`ADDRESS` that takes connections while the workload is healthy: host:port or unix:PATH"})
	healthFileFlag      = table.Text(options.Option{Name: "health-file", Group: ofHealth, Field: "Health.File", Usage: "`FILE` that is there while the workload is healthy"})
	healthMaxAgeFlag    = table.Duration(options.Option{Name: "health-file-max-age", Group: ofHealth, Field: "Health.FileMaxAge", Default: "0s", Usage: "`TIME` since the last change of --health-file after which it no longer counts; 0s: it always counts"})
	healthIntervalFlag  = table.Duration(options.Option{Name: "health-interval", Group: ofHealth, Field: "Health.Interval", Default: "1s", Usage: "`TIME` from one health check to the next"})
	healthTimeoutFlag   = table.Duration(options.Option{Name: "health-timeout", Group: ofHealth, Field: "Health.Timeout", Usage: "`TIME` that one health check may take", Describe: "the interval, at most 1s"})
	healthThresholdFlag = table.Number(options.Option{Name: "health-threshold", Group: ofHealth, Field: "Health.Threshold", Default: "3", Least: 1, Most: health.MaxThreshold, Usage: "`NUMBER` of failed checks in a row that make the workload unhealthy"})
	healthSuccessesFlag = table.Number(options.Option{Name: "health-success-threshold", Group: ofHealth, Field: "Health.SuccessThreshold", Default: "1", Least: 1, Most: health.MaxThreshold, Usage: "`NUMBER` of passed checks in a row that make the workload healthy"})
	healthGraceFlag     = table.Duration(options.Option{Name: "health-start-grace", Group: ofHealth, Usage: "`TIME` from the start, and from the begin of each term, in which failed checks do not count until one has passed", Describe: "0s; 30s with --health-while leading"})
	healthCooldownFlag  = table.Duration(options.Option{Name: "health-cooldown", Group: ofHealth, Default: "10s", Usage: "`TIME` for which a leader that became unhealthy counts as unhealthy, at least"})
	healthWhileFlag     = table.Choice(options.Option{Name: "health-while", Group: ofHealth, Choices: []string{"always", "leading"}, Usage: "always, or leading where the workload runs only while this replica leads: `WHEN` it is checked", Describe: "leading where the sidecar runs a command, or --on-lost stops the process; else always"})
	healthStopFlag      = table.Toggle(options.Option{Name: "health-proves-stop", Group: ofHealth, Default: "true", Usage: "true or false (`BOOL`): does the health endpoint's end show that the workload has stopped"})
	allUnhealthyFlag    = table.Choice(options.Option{Name: "when-all-unhealthy", Former: "when-all-unfit", Group: ofHealth, Default: "wait", Choices: []string{"wait", "lead"}, Usage: "`CHOICE` of an unhealthy replica where no healthy one leads: wait (nobody leads), or lead after one more lease duration"})

	labelFlag           = table.Text(options.Option{Name: "label", Group: ofCluster, Field: "Label", Needs: "Pod", Usage: "`KEY[=VALUE]` that the leader's pod has and no other pod of the election; the value is leader by default"})
	webhookURLFlag      = table.Text(options.Option{Name: "webhook-url", Group: ofCluster, Field: "Webhook.URL", Usage: "`URL` to which each transition's document is sent by POST, on loopback or in the cluster"})
	webhookTimeoutFlag  = table.Duration(options.Option{Name: "webhook-timeout", Group: ofCluster, Field: "Webhook.Timeout", Default: "3s", Usage: "`TIME` that one call of the webhook may take"})
	webhookStatusesFlag = table.Text(options.Option{Name: "webhook-success-status", Group: ofCluster, Field: "Webhook.Success", Default: "2xx", Usage: "`STATUSES` by which the webhook says that it has taken the document, such as 2xx or 200,204"})
	eventsFlag          = table.Toggle(options.Option{Name: "events", Group: ofCluster, Field: "Events", Default: "false", Usage: "true or false (`BOOL`): record Events on the Lease, as client-go does"})

	logFormatFlag = table.Choice(options.Option{Name: "log-format", Group: ofLogging, Default: "json", Choices: []string{"json", "text"}, Usage: "`FORMAT` of the log on stderr: json or text"})
	logLevelFlag  = table.Choice(options.Option{Name: "log-level", Group: ofLogging, Default: "info", Choices: []string{"debug", "info", "warn", "error"}, Usage: "`LEVEL` of the log: debug, info, warn or error"})

	tokenFlag   = table.Text(options.Option{Name: "token", Usage: "`TOKEN` of the term whose work has stopped", Describe: "the term that drains now"})
	forFlag     = table.Choice(options.Option{Name: "for", Default: "leader", Choices: []string{"leader", "elected"}, Usage: "`WHAT` to wait for: leader (this replica leads) or elected (any replica does)"})
	timeoutFlag = table.Duration(options.Option{Name: "timeout", Default: "0s", Usage: "`TIME` after which to give up; 0s: never"})
)

// answers holds what the user gave to a command's options.
type answers struct{ *options.Answers }

func answersOf(c *cli.Context) answers { return answers{options.Read(c, &table)} }

// err returns all faults as one error with exit code 2, or nil.
func (a answers) err() error { return asFault(a.Err()) }

// parsed parses an option's text, and records its faults.
func parsed[T any](a answers, o options.Text, parse func(string) (T, error)) T {
	v, err := parse(a.Text(o))
	a.Of(o, err)
	return v
}

// flagOf returns an option for urfave. It ignores variables of the document that a sidecar above gives to its command.
func flagOf(h options.Handle) cli.Flag {
	o := h.Spec()
	if child.FromDocument(o.Env()) {
		return o.Flag(nil)
	}
	return o.Flag(o.Variables())
}

func flags(handles ...options.Handle) []cli.Flag {
	var all []cli.Flag
	for _, h := range handles {
		all = append(all, flagOf(h))
	}
	return all
}
