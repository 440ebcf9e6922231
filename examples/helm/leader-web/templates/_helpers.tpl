{{/* The name of the Deployment and of all that belongs to it, and the labels, as "helm create" writes them. */}}
{{- define "leader-web.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 63 | trimSuffix "-" -}}
{{- else -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- if contains $name .Release.Name -}}
{{- .Release.Name | trunc 63 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 63 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "leader-web.selectorLabels" -}}
app.kubernetes.io/name: {{ default .Chart.Name .Values.nameOverride }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "leader-web.labels" -}}
{{ include "leader-web.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end -}}

{{/* The election, for the library chart: see lease-sidecar/templates/_election.tpl. */}}
{{- define "leader-web.election" -}}
workload: deployment/{{ include "leader-web.fullname" . }}
terminationGracePeriodSeconds: {{ .Values.terminationGracePeriodSeconds }}
hostNetwork: {{ .Values.hostNetwork }}
labels: {{- include "leader-web.labels" . | nindent 2 }}
selectorLabels: {{- include "leader-web.selectorLabels" . | nindent 2 }}
values: {label: {{ include "leader-web.label" . | quote }}}
{{- end -}}

{{/* The label that only the leader's pod has, KEY or KEY=VALUE. */}}
{{- define "leader-web.label" -}}
{{- .Values.leaseSidecar.label | default (ternary "lease-sidecar.dev/role" "" .Values.leaderService.enabled) -}}
{{- end -}}
