{{/*
The templates that a chart includes (in _pod.tpl and _objects.tpl) take a list: the chart's own context, and the name of the template
by which that chart describes its election. The name makes two charts of one release, and two elections of one chart, independent.

  {{- include "lease-sidecar.containers" (list . "mychart.election") | nindent 8 }}

  {{- define "mychart.election" -}}
  workload: deployment/{{ include "mychart.fullname" . }}        # whose replicas elect one leader
  terminationGracePeriodSeconds: 45                              # of the pods: more than leaseSidecar.stopTimeout
  labels: {{- include "mychart.labels" . | nindent 2 }}          # of the objects that the library makes
  selectorLabels: {{- include "mychart.selectorLabels" . | nindent 2 }}  # by which the pods are selected
  hostNetwork: {{ .Values.hostNetwork }}                         # optional
  modes: [child]                                                 # optional: the modes that the pods are made for
  values: {label: example.com/role}                              # optional: goes before .Values.leaseSidecar
  {{- end -}}

All other templates are private. They take the election that this one makes of it.
*/}}
{{- define "lease-sidecar.election" -}}
{{- $root := first . -}}
{{- if not $root.Values.leaseSidecar -}}
  {{- fail "there are no values leaseSidecar: give the dependency lease-sidecar in Chart.yaml the line alias: leaseSidecar" -}}
{{- end -}}
{{- $given := include (last .) $root | fromYaml -}}
{{- if hasKey $given "Error" -}}
  {{- fail (printf "the template %q is not YAML: %s" (last .) $given.Error) -}}
{{- end -}}
{{- $values := mergeOverwrite (deepCopy $root.Values.leaseSidecar) ($given.values | default dict) -}}
{{- $workload := splitList "/" ($given.workload | default "") -}}
{{- $kind := first $workload | lower -}}
{{- $name := rest $workload | join "/" -}}
{{- $ownAddress := ternary (printf "unix:%s/http.sock" $values.signalDir) "127.0.0.1:4040" ($given.hostNetwork | default false) -}}
{{- $election := dict
      "values" $values
      "kind" $kind
      "name" $name
      "workload" (printf "%s/%s" $kind $name)
      "namespace" $root.Release.Namespace
      "account" ($values.serviceAccount.name | default $name)
      "labels" ($given.labels | default dict)
      "selectorLabels" ($given.selectorLabels | default dict)
      "modes" ($given.modes | default (list "native" "classic"))
      "grace" ($given.terminationGracePeriodSeconds | default 30)
      "kubernetes" $root.Capabilities.KubeVersion.Version
      "hostNetwork" ($given.hostNetwork | default false)
      "httpAddress" ($values.httpAddress | default $ownAddress)
-}}
{{- $_ := set $election "lease" (include "lease-sidecar.leaseName" (dict "prefix" $values.prefix "workload" $election.workload)) -}}
{{- with include "lease-sidecar.faults" $election -}}
  {{- fail (printf "these values cannot work:\n%s" .) -}}
{{- end -}}
{{- toJson $election -}}
{{- end -}}

{{/* The Lease's name: what "lease-sidecar name --prefix PREFIX --workload KIND/NAME" prints. */}}
{{- define "lease-sidecar.leaseName" -}}
{{- printf "%s-%s" .prefix (sha256sum .workload | trunc 10) -}}
{{- end -}}

{{/* The seconds of a time such as 1h30m or 45s; 0 for what is none. */}}
{{- define "lease-sidecar.seconds" -}}
{{- if regexMatch "^([0-9]{1,4}h)?([0-9]{1,6}m)?([0-9]{1,8}s)?$" . -}}
{{- $of := dict "h" 0 "m" 0 "s" 0 -}}
{{- range regexFindAll "[0-9]+[hms]" . -1 -}}
  {{- $_ := set $of (trunc -1 .) (trunc (sub (len .) 1 | int) . | atoi) -}}
{{- end -}}
{{- add (mul $of.h 3600) (mul $of.m 60) $of.s -}}
{{- else -}}
0
{{- end -}}
{{- end -}}
