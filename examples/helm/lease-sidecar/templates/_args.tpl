{{/* The arguments of "lease-sidecar run", as a YAML list. A value that is empty leaves its flag out: the program's default holds. */}}
{{- define "lease-sidecar.args" -}}
{{- $args := list "run" -}}
{{- range include "lease-sidecar.settings" . | fromJsonArray -}}
{{- if ne (last .) "" -}}
  {{- $args = append $args (printf "--%s=%s" (first .) (last .)) -}}
{{- end -}}
{{- end -}}
{{- concat $args .values.extraArgs | toYaml -}}
{{- end -}}

{{/* The names of all flags that values set, as a JSON list. */}}
{{- define "lease-sidecar.flags" -}}
{{- $flags := list -}}
{{- range include "lease-sidecar.settings" . | fromJsonArray -}}
  {{- $flags = append $flags (first .) -}}
{{- end -}}
{{- toJson $flags -}}
{{- end -}}

{{/* The flags that values set, with the value of each, or "": a JSON list of pairs. */}}
{{- define "lease-sidecar.settings" -}}
{{- $v := .values -}}
{{- $health := or $v.health.url $v.health.tcp $v.health.file -}}
{{- list
    (list "prefix" $v.prefix)
    (list "workload" .workload)
    (list "lease-duration" $v.leaseDuration)
    (list "stop-timeout" $v.stopTimeout)
    (list "drain-timeout" $v.drainTimeout)
    (list "on-loss" $v.onLoss)
    (list "on-child-exit" $v.onChildExit)
    (list "priority" ($v.priority | int | toString))
    (list "allow-step-down" (ternary "" "false" $v.allowStepDown))
    (list "signal-dir" $v.signalDir)
    (list "http-address" .httpAddress)
    (list "probe-address" (printf ":%d" (int $v.probePort)))
    (list "webhook-url" $v.webhookUrl)
    (list "label" $v.label)
    (list "events" (ternary "true" "" $v.events))
    (list "membership" (ternary "true" "" $v.membership.enabled))
    (list "member-sweep" (ternary "true" "" $v.membership.sweep))
    (list "health-url" $v.health.url)
    (list "health-tcp" $v.health.tcp)
    (list "health-file" $v.health.file)
    (list "health-file-max-age" $v.health.fileMaxAge)
    (list "health-interval" $v.health.interval)
    (list "health-threshold" (ternary ($v.health.threshold | int | toString) "" (not (empty $health))))
    (list "health-start-grace" $v.health.startGrace)
    (list "health-proves-stop" (ternary "" "false" $v.health.provesStop))
    (list "when-all-unhealthy" $v.health.whenAllUnhealthy)
    (list "process-name" $v.process.name)
    (list "pid-file" $v.process.pidFile)
    (list "on-elected" $v.process.onElected)
    (list "on-lost" $v.process.onLost)
    (list "fence" $v.process.fence)
    (list "watch-processes" (ternary "all" "" $v.process.watchAll))
    (list "log-level" $v.logLevel)
  | toJson -}}
{{- end -}}
