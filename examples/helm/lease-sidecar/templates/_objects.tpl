{{/* All objects of an election, but the workload itself: what a chart includes in a file of its own. */}}
{{- define "lease-sidecar.objects" -}}
{{- $e := include "lease-sidecar.election" . | fromJson -}}
{{- $root := first . -}}
{{- $_ := set $e "liveLabel" (include "lease-sidecar.live" (list $e "label")) -}}
{{- $_ := set $e "liveEvents" (include "lease-sidecar.live" (list $e "events")) -}}
{{- $_ := set $e "liveMembership" (include "lease-sidecar.live" (list $e "membership")) -}}
{{- $_ := set $e "liveSweep" (include "lease-sidecar.live" (list $e "member-sweep")) -}}
{{- include "lease-sidecar.lease" $e }}
{{- if $e.values.serviceAccount.create }}
---
{{ include "lease-sidecar.serviceAccount" $e }}
{{- end }}
{{- if $e.values.rbac.create }}
---
{{ include "lease-sidecar.role" $e }}
---
{{ include "lease-sidecar.roleBinding" $e }}
{{- end }}
{{- if and $e.values.rbac.labelPolicy (or $e.values.label $e.liveLabel) }}
---
{{ include "lease-sidecar.labelPolicy" $e }}
{{- end }}
{{- if and $e.values.membership.policies (or $e.values.membership.enabled $e.liveMembership) }}
{{- range list "members" "election" }}
---
{{ include "lease-sidecar.leasePolicy" (dict "election" $e "kind" . "file" ($root.Subcharts.leaseSidecar.Files.Get (printf "%s-policy.yaml" .))) }}
{{- end }}
{{- end }}
{{- if $e.values.podMonitor.enabled }}
---
{{ include "lease-sidecar.podMonitor" $e }}
{{- end }}
{{- if $e.values.prometheusRule.enabled }}
---
{{ include "lease-sidecar.prometheusRule" (set $e "rules" ($root.Subcharts.leaseSidecar.Files.Get "rules.yaml")) }}
{{- end }}
{{- if $e.values.networkPolicy.enabled }}
---
{{ include "lease-sidecar.networkPolicy" $e }}
{{- end }}
{{- end -}}

{{/*
The election's Lease. It is shipped without a spec: Helm compares and owns only what a manifest says, so an upgrade and a rollback leave
alone what the sidecars wrote there. Only "helm upgrade --force-replace" (--force in Helm 3) makes a new Lease.
*/}}
{{- define "lease-sidecar.lease" -}}
apiVersion: coordination.k8s.io/v1
kind: Lease
metadata:
  name: {{ .lease }}
  namespace: {{ .namespace }}
  labels:
    {{- toYaml .labels | nindent 4 }}
    lease-sidecar.dev/election: "true"
  annotations:
    lease-sidecar.dev/workload: {{ .workload }}
{{- end -}}
