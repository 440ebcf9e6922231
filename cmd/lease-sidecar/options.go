package main

import (
	"os"
	"strconv"

	"github.com/urfave/cli/v2"

	"github.com/lease-sidecar/lease-sidecar/internal/health"
	"github.com/lease-sidecar/lease-sidecar/internal/membership"
	"github.com/lease-sidecar/lease-sidecar/internal/options"
	"github.com/lease-sidecar/lease-sidecar/pkg/elector"
	"github.com/lease-sidecar/lease-sidecar/pkg/field"
)

// Groups of options in the help text of run, in the order of use.
const (
	ofFirst   = "Basic flags"
	ofHTTP    = "HTTP"
	ofProcess = "Process signals and command"
	ofStop    = "Stop and handover"
	ofHealth  = "Health"
	ofCluster = "Pod label, webhook and Events"
	ofMembers = "Membership"
	ofLease   = "Lease and identity"
	ofTiming  = "Timing"
	ofStore   = "Store"
	ofLog     = "Log and others"
)

// table holds all options, in the order of the help text. The help texts, the manual page, the reference and the completion
// come from it.
var table options.Table

// option is a row of the table.
type option = options.Option

// Values that a shell completes.
var (
	someSignals = []string{"HUP", "USR1", "USR2", "TERM", "INT", "QUIT", "STOP", "CONT"}
	someKinds   = []string{"deployment/", "statefulset/", "daemonset/", "job/", "cronjob/"}
)

// The rows of the table.
var (
	signalDirFlag = table.Text(option{
		Name: "signal-dir", Group: ofFirst, Field: "SignalDir", Value: "DIR", Path: options.Directory, Usage: "directory shared with the workload, for state.json and leader",
		Detail: "The sidecar writes to it, and the workload reads it.",
	})
	prefixFlag = table.Text(option{
		Name: "prefix", Group: ofFirst, Default: "lease-sidecar", Value: "PREFIX", Usage: "first part of the Lease's name",
		Detail: "Give each product a prefix of its own, of at most 52 characters: then no two products share a Lease.",
	})
	workloadFlag = table.Text(option{
		Name: "workload", Group: ofFirst, Value: "KIND/NAME", Suggest: someKinds, Usage: "workload, such as deployment/web", Describe: "by the pod's labels",
		Detail: "All replicas of it compete for one Lease. The pod's labels prove a Deployment, a StatefulSet, a DaemonSet and a Job; any other workload has to be given. For a CronJob give cronjob/NAME: else each run elects a leader of its own.",
	})

	httpAddressFlag = table.Address(option{
		Name: "http-address", Group: ofHTTP, Field: "HTTPAddress", Default: "127.0.0.1:4040", Value: "ADDRESS", Suggest: []string{"127.0.0.1:4040", "unix:", "off"}, Path: options.File, Usage: "the sidecar's HTTP address, or off",
		Detail: "HOST:PORT or unix:PATH; 127.0.0.1 includes ::1. The sidecar answers the workload there, and takes orders, such as step-down, on a loopback address and a socket only. With hostNetwork use unix:PATH, as the pods of a node share their ports.",
	})
	probeAddressFlag = table.Address(option{
		Name: "probe-address", Group: ofHTTP, Field: "ProbeAddress", Default: ":4041", Value: "ADDRESS", Suggest: []string{":4041", "off"}, Usage: "address for probes and metrics, or off",
		Detail: "HOST:PORT. It serves /livez, /readyz, /startupz, /metrics and /leader to the kubelet and to Prometheus, which do not reach a loopback address.",
	})
	allowStepDownFlag = table.Toggle(option{Name: "allow-step-down", Group: ofHTTP, Default: "true", Value: "BOOL", Usage: "let the pod's containers ask for a handover"})
	compatFlag        = table.Choice(option{Name: "compat", Group: ofHTTP, Default: "off", Choices: []string{"off", "classic", "nais"}, Value: "SIDECAR", Usage: "answer like another sidecar: off, classic or nais"})

	processNameFlag = table.Text(option{
		Name: "process-name", Group: ofProcess, Field: "Process.Target.Name", Value: "NAME", Usage: "name of the process to signal and to watch",
		Detail: "Its comm or argv[0]. The pod needs shareProcessNamespace, and the sidecar the same user.",
	})
	pidFileFlag = table.Text(option{
		Name: "pid-file", Group: ofProcess, Field: "Process.Target.PIDFile", Value: "FILE", Path: options.File, Usage: "file with the pid of that process, instead of its name",
		Detail: "The pid is that of the pod's pid namespace, which the sidecar has to share.",
	})
	onElectedFlag = table.Text(option{Name: "on-elected", Group: ofProcess, Field: "Process.OnElected", Value: "SIGNAL", Suggest: someSignals, Usage: "process signal when this replica leads, such as HUP, USR1 or CONT"})
	onLostFlag    = table.Text(option{
		Name: "on-lost", Group: ofProcess, Field: "Process.OnLost", Value: "SIGNAL", Suggest: someSignals, Usage: "process signal when it does not lead, such as USR2, TERM or STOP",
		Detail: "A standby's process gets it at the start, too.",
	})
	fenceFlag = table.Choice(option{
		Name: "fence", Group: ofProcess, Field: "Process.Fence", Default: "none", Choices: []string{"none", "kill"}, Value: "ACTION", Usage: "none, or kill a process that stops too late",
		Detail: "kill: SIGKILL follows --on-lost where the process has not ended when another replica may soon lead.",
	})
	onChildExitFlag = table.Choice(option{
		Name: "on-child-exit", Group: ofProcess, Default: "standby", Choices: []string{"standby", "exit"}, Value: "ACTION", Usage: "if COMMAND ends by itself: standby or exit",
		Detail: "standby: hand over, and campaign again after a pause. exit: hand over, and exit with the status of COMMAND.",
	})

	stopTimeoutFlag = table.Duration(option{
		Name: "stop-timeout", Group: ofStop, Field: "StopTimeout", Default: "30s", Value: "TIME", Usage: "time for the workload to stop in a handover",
		Detail: "A workload that is seen to run gets that time. Then it is killed, where something can kill it.",
	})
	drainTimeoutFlag = table.Duration(option{
		Name: "drain-timeout", Group: ofStop, Default: "0s", Describe: "0s, never", Value: "TIME", Usage: "workload counts as stopped after this time",
		Detail: "Your promise: the workload always stops within this time, once it is asked to, although nothing shows it.",
	})
	watchProcessesFlag = table.Choice(option{
		Name: "watch-processes", Group: ofStop, Field: "WatchProcesses", Choices: []string{"all"}, Value: "WHICH", Usage: "all: workload has stopped once the pod's processes have ended",
		Detail: "The pod needs shareProcessNamespace.",
	})
	watchExceptFlag = table.Text(option{Name: "watch-processes-except", Group: ofStop, Field: "WatchExcept", Value: "NAMES", Usage: "programs not to watch, such as envoy,pilot-agent"})
	watchPodFlag    = table.Toggle(option{
		Name: "watch-pod", Group: ofStop, Field: "WatchPod", Needs: "Pod", Default: "false", Value: "BOOL", Usage: "workload has stopped once the pod's containers have terminated",
		Detail: "The sidecar asks the API server, once the pod is being deleted. It needs the right to get the pod.",
	})
	watchContainerFlag = table.Text(option{Name: "watch-pod-container", Group: ofStop, Default: "lease-sidecar", Value: "NAME", Usage: "the sidecar's own container, not to watch"})
	onLossFlag         = table.Choice(option{
		Name: "on-loss", Group: ofStop, Default: "stand-by", Choices: []string{"stand-by", "exit"}, Value: "ACTION", Usage: "if leadership is lost: stand-by or exit",
		Detail: "Lost means: without a handover. exit: with status 4, once every signal is applied.",
	})

	healthURLFlag       = table.Text(option{Name: "health-url", Group: ofHealth, Field: "Health.URL", Value: "URL", Usage: "URL that answers 200 to 399 while the workload is healthy"})
	healthTCPFlag       = table.Text(option{Name: "health-tcp", Group: ofHealth, Field: "Health.TCP", Value: "ADDRESS", Suggest: []string{"unix:"}, Path: options.File, Usage: "HOST:PORT or unix:PATH that accepts connections while healthy"})
	healthFileFlag      = table.Text(option{Name: "health-file", Group: ofHealth, Field: "Health.File", Value: "FILE", Path: options.File, Usage: "file that exists while the workload is healthy"})
	healthMaxAgeFlag    = table.Duration(option{Name: "health-file-max-age", Group: ofHealth, Field: "Health.FileMaxAge", Default: "0s", Describe: "0s, any", Value: "TIME", Usage: "greatest age of that file"})
	healthIntervalFlag  = table.Duration(option{Name: "health-interval", Group: ofHealth, Field: "Health.Interval", Default: "1s", Value: "TIME", Usage: "time between two health checks"})
	healthTimeoutFlag   = table.Duration(option{Name: "health-timeout", Group: ofHealth, Field: "Health.Timeout", Value: "TIME", Usage: "time for one health check", Describe: "the interval, at most 1s"})
	healthThresholdFlag = table.Number(option{Name: "health-threshold", Group: ofHealth, Field: "Health.Threshold", Default: "3", Least: 1, Most: health.MaxThreshold, Value: "N", Usage: "failed checks in a row until it is unhealthy"})
	healthSuccessesFlag = table.Number(option{Name: "health-success-threshold", Group: ofHealth, Field: "Health.SuccessThreshold", Default: "1", Least: 1, Most: health.MaxThreshold, Value: "N", Usage: "passed checks in a row until it is healthy"})
	healthGraceFlag     = table.Duration(option{
		Name: "health-start-grace", Group: ofHealth, Value: "TIME", Usage: "time to start, in which failures do not count", Describe: "0s or 30s",
		Detail: "The time begins with the sidecar and with each term, and ends with the first check that passes. The default is 30s with --health-while leading, else 0s.",
	})
	healthCooldownFlag = table.Duration(option{Name: "health-cooldown", Group: ofHealth, Default: "10s", Value: "TIME", Usage: "shortest time for which a leader is unhealthy"})
	healthWhileFlag    = table.Choice(option{
		Name: "health-while", Group: ofHealth, Choices: []string{"always", "leading"}, Value: "WHEN", Usage: "check always, or only while leading", Describe: "by other flags",
		Detail: "leading suits a workload that runs only while this replica leads. It is the default where the sidecar runs COMMAND, and where --on-lost stops the process (SIGSTOP). Else the default is always.",
	})
	healthStopFlag   = table.Toggle(option{Name: "health-proves-stop", Group: ofHealth, Default: "true", Value: "BOOL", Usage: "workload has stopped once the endpoint is gone"})
	allUnhealthyFlag = table.Choice(option{
		Name: "when-all-unhealthy", Group: ofHealth, Default: "wait", Choices: []string{"wait", "lead"}, Value: "ACTION", Usage: "if no healthy replica leads: wait or lead",
		Detail: "wait: nobody leads. lead: an unhealthy replica leads after one more lease duration.",
	})

	labelFlag      = table.Text(option{Name: "label", Group: ofCluster, Field: "Label", Needs: "Pod", Value: "KEY[=VALUE]", Usage: "label that only the leader's pod has; VALUE is leader by default"})
	webhookURLFlag = table.Text(option{
		Name: "webhook-url", Group: ofCluster, Field: "Webhook.URL", Value: "URL", Usage: "URL that gets the leadership document at each transition",
		Detail: "The URL is on loopback or in the cluster.",
	})
	webhookTimeoutFlag  = table.Duration(option{Name: "webhook-timeout", Group: ofCluster, Field: "Webhook.Timeout", Default: "3s", Value: "TIME", Usage: "time for one call of the webhook"})
	webhookStatusesFlag = table.Text(option{Name: "webhook-success-status", Group: ofCluster, Field: "Webhook.Success", Default: "2xx", Value: "CODES", Usage: "answers that mean success, such as 200,204"})
	eventsFlag          = table.Toggle(option{Name: "events", Group: ofCluster, Field: "Events", Default: "false", Value: "BOOL", Usage: "record Events on the Lease, as client-go does"})

	membershipFlag = table.Toggle(option{
		Name: "membership", Group: ofMembers, Field: "Membership", Default: "false", Value: "BOOL", Usage: "let the replicas know one another, by a Lease each",
		Detail: "A handover then goes to a named successor, and a rolling update moves leadership once. It needs more rights: see the guide on members.",
	})
	memberDurationFlag = table.Duration(option{
		Name: "member-duration", Group: ofMembers, Field: "Membership.Duration", Default: membership.DefaultDuration.String(), Value: "TIME", Usage: "time after which a silent member counts as gone",
		Detail: "Whole seconds, at least 3s.",
	})
	memberRenewFlag = table.Duration(option{
		Name: "member-renew-interval", Group: ofMembers, Field: "Membership.RenewInterval", Value: "TIME", Usage: "time between two of its renewals", Describe: "1/4 of it, at most 10s",
		Detail: "At least 1s, and at most a third of --member-duration.",
	})
	memberSweepFlag = table.Toggle(option{
		Name: "member-sweep", Group: ofMembers, Field: "Membership.Sweep", Default: "false", Value: "BOOL", Usage: "let the leader delete the Leases of members long gone",
		Detail: "It needs the right to delete Leases.",
	})
	memberTTLFlag = table.Duration(option{Name: "member-ttl", Group: ofMembers, Field: "Membership.TTL", Default: membership.DefaultTTL.String(), Value: "TIME", Usage: "time for which such a Lease stays"})

	leaseNameFlag  = table.Text(option{Name: "lease-name", Group: ofLease, Field: "Election.Lease", Value: "NAME", Usage: "whole name of the Lease, instead of prefix and workload"})
	namespaceFlag  = table.Text(option{Name: "namespace", Alias: "n", Group: ofLease, Field: "Election.Namespace", Value: "NAME", Usage: "the Lease's namespace", Describe: "POD_NAMESPACE or the credentials'"})
	identityFlag   = table.Text(option{Name: "identity", Group: ofLease, Field: "Replica.Name", Value: "NAME", Usage: "name of this replica", Describe: "POD_NAME, or the host's name"})
	labelsFileFlag = table.Text(option{
		Name: "labels-file", Group: ofLease, Default: "/etc/podinfo/labels", Value: "FILE", Path: options.File, Usage: "file with the pod's labels",
		Detail: "A file of the downward API (metadata.labels). A variable for each label does as well, such as POD_LABEL_POD_TEMPLATE_HASH.",
	})

	leaseDurationFlag = table.Duration(option{
		Name: "lease-duration", Group: ofTiming, Field: "Election.Duration", Default: elector.Default().Duration.String(), Value: "TIME", Usage: "time after which an unrenewed Lease is free",
		Detail: "Whole seconds, at least 3s, and the same for all replicas of a workload.",
	})
	renewDeadlineFlag = table.Duration(option{Name: "renew-deadline", Group: ofTiming, Field: "Election.RenewDeadline", Value: "TIME", Usage: "time to lead after a renewal", Describe: "2/3 of lease-duration"})
	renewIntervalFlag = table.Duration(option{
		Name: "renew-interval", Alias: "retry-period", Group: ofTiming, Field: "Election.RenewInterval", Value: "TIME", Usage: "time between two renewals", Describe: "1/5 of lease-duration",
		Detail: "At least 1s.",
	})
	foreignGraceFlag = table.Duration(option{
		Name: "foreign-grace", Group: ofTiming, Field: "Election.ForeignGrace", Default: elector.Default().ForeignGrace.String(), Value: "TIME", Usage: "extra wait after a holder of another kind",
		Detail: "Such as a program with client-go's own elector: 18s suits its defaults.",
	})
	priorityFlag = table.Number(option{
		Name: "priority", Group: ofTiming, Field: "Election.Priority", Default: strconv.Itoa(elector.MaxPriority), Most: elector.MaxPriority, Value: "N", Usage: "0 to 10: a lower one waits longer for a free Lease",
		Detail: "Each step below 10 waits 50ms longer.",
	})

	storeFlag      = table.Text(option{Name: "store", Group: ofStore, Field: "Store", Default: "kube", Value: "STORE", Suggest: []string{"kube", "dir:"}, Path: options.Directory, Usage: "kube, or dir:PATH for replicas on one machine"})
	kubeconfigFlag = table.Text(option{Name: "kubeconfig", Group: ofStore, Value: "FILE", Path: options.File, Usage: "credentials", Describe: "ServiceAccount, $KUBECONFIG, ~/.kube/config"})
	contextFlag    = table.Text(option{Name: "context", Group: ofStore, Value: "NAME", Usage: "context of the kubeconfig", Describe: "its current one"})

	logFormatFlag    = table.Choice(option{Name: "log-format", Group: ofLog, Default: "json", Choices: []string{"json", "text"}, Value: "FORMAT", Usage: "format of the log on stderr: json or text"})
	logLevelFlag     = table.Choice(option{Name: "log-level", Group: ofLog, Default: "info", Choices: []string{"debug", "info", "warn", "error"}, Value: "SEVERITY", Usage: "least severity to log: debug, info, warn or error"})
	debugAddressFlag = table.Address(option{
		Name: "debug-address", Group: ofLog, Field: "DebugAddress", Default: "off", Value: "ADDRESS", Suggest: []string{"127.0.0.1:6060", "unix:", "off"}, Path: options.File, Usage: "address for profiles of the sidecar itself, or off",
		Detail: "A loopback HOST:PORT, or unix:PATH. It serves /debug/pprof/ and /debug/metrics, of the Go runtime.",
	})
	placementFlag = table.Choice(option{
		Name: "placement", Group: ofLog, Default: "native", Choices: []string{"native", "classic"}, Value: "KIND", Usage: "without effect: native or classic",
		Detail: "Manifests may say how the sidecar is placed. Nothing depends on it.",
	})

	allNamespacesFlag = table.Toggle(option{Name: "all-namespaces", Alias: "A", Default: "false", Value: "BOOL", Usage: "show the elections of all namespaces"})
	selectorFlag      = table.Text(option{Name: "selector", Alias: "l", Value: "LABELS", Usage: "show Leases with these labels only, such as app=web"})
	outputFlag        = table.Choice(option{Name: "output", Alias: "o", Choices: []string{"wide", "json", "yaml", "name"}, Value: "FORMAT", Usage: "format: wide, json, yaml or name"})
	watchFlag         = table.Toggle(option{Name: "watch", Alias: "w", Default: "false", Value: "BOOL", Usage: "go on, and print each change but renewals"})
	kindFlag          = table.Choice(option{
		Name: "kind", Default: "elections", Choices: []string{"elections", "members", "nodes", "apiservers", "all"}, Value: "KIND", Usage: "elections, members, nodes, apiservers or all",
		Detail: "nodes are the heartbeats in kube-node-lease, apiservers the identity Leases in kube-system, whatever the namespace is.",
	})
	measureFlag = table.Duration(option{
		Name: "measure", Default: "0s", Value: "TIME", Usage: "time to watch the Leases first, at most, to measure ages",
		Detail: "It ends as soon as each holder shown has renewed its Lease, by default every 3s. With 0s all ages are estimates.",
	})

	tokenFlag   = table.Text(option{Name: "token", Value: "TOKEN", Usage: "token of the term whose work has stopped", Describe: "the one that drains"})
	forFlag     = table.Choice(option{Name: "for", Default: "leader", Choices: []string{"leader", "elected"}, Value: "WHAT", Usage: "leader: this replica leads; elected: any does"})
	timeoutFlag = table.Duration(option{Name: "timeout", Default: "0s", Describe: "0s, never", Value: "TIME", Usage: "time after which to give up"})
)

// answers holds what the user gave to a command's options.
type answers struct{ *options.Answers }

func answersOf(c *cli.Context) answers { return answers{options.Read(c, &table)} }

// err returns all faults as one error with exit code 2, or nil. With a fault it also names the variables that belong to no
// option, as a misspelt one may be the cause.
func (a answers) err() error {
	var all field.Faults
	all.Add(a.Err())
	if all.Err() == nil {
		return nil
	}
	for _, u := range table.Unknown(os.Environ()) {
		all.Add(u)
	}
	return asFault(all.Err())
}

// parsed parses an option's text, and records its faults.
func parsed[T any](a answers, o options.Text, parse func(string) (T, error)) T {
	v, err := parse(a.Text(o))
	a.Of(o, err)
	return v
}

// flags returns the flags of some options, in one group.
func flags(handles ...options.Handle) []cli.Flag {
	var all []cli.Flag
	for _, h := range handles {
		f := h.Spec().Flag()
		f.Category = ""
		all = append(all, f)
	}
	return all
}
