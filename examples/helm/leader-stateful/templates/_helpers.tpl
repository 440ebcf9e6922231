{{/* The name of the StatefulSet and of all that belongs to it, and the labels, as "helm create" writes them. A StatefulSet adds a suffix
of 11 characters to its pods' labels, so the name is shorter. */}}
{{- define "leader-stateful.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 52 | trimSuffix "-" -}}
{{- else -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- if contains $name .Release.Name -}}
{{- .Release.Name | trunc 52 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 52 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "leader-stateful.selectorLabels" -}}
app.kubernetes.io/name: {{ default .Chart.Name .Values.nameOverride }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "leader-stateful.labels" -}}
{{ include "leader-stateful.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end -}}

{{/* The election, for the library chart: see lease-sidecar/templates/_election.tpl. */}}
{{- define "leader-stateful.election" -}}
workload: statefulset/{{ include "leader-stateful.fullname" . }}
terminationGracePeriodSeconds: {{ .Values.terminationGracePeriodSeconds }}
labels: {{- include "leader-stateful.labels" . | nindent 2 }}
selectorLabels: {{- include "leader-stateful.selectorLabels" . | nindent 2 }}
{{- end -}}
