{{/* The name of the Deployment and of all that belongs to it, and the labels, as "helm create" writes them. */}}
{{- define "leader-child.fullname" -}}
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

{{- define "leader-child.selectorLabels" -}}
app.kubernetes.io/name: {{ default .Chart.Name .Values.nameOverride }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "leader-child.labels" -}}
{{ include "leader-child.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end -}}

{{/* The election, for the library chart: see lease-sidecar/templates/_election.tpl. */}}
{{- define "leader-child.election" -}}
workload: deployment/{{ include "leader-child.fullname" . }}
modes: [child]
terminationGracePeriodSeconds: {{ .Values.terminationGracePeriodSeconds }}
labels: {{- include "leader-child.labels" . | nindent 2 }}
selectorLabels: {{- include "leader-child.selectorLabels" . | nindent 2 }}
{{- end -}}
