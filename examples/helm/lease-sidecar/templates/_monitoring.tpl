{{/* Objects of the Prometheus Operator. */}}

{{- define "lease-sidecar.podMonitor" -}}
apiVersion: monitoring.coreos.com/v1
kind: PodMonitor
metadata:
  name: {{ .name }}
  namespace: {{ .namespace }}
  labels: {{- merge .values.podMonitor.labels .labels | toYaml | nindent 4 }}
spec:
  selector:
    matchLabels: {{- toYaml .selectorLabels | nindent 6 }}
  podMetricsEndpoints:
    - port: lease-probe
      path: /metrics
      interval: {{ .values.podMonitor.interval }}
{{- end -}}

{{/* The rules of rules.yaml, which name an example's Lease in the alert for an absent election: here it is this one. */}}
{{- define "lease-sidecar.prometheusRule" -}}
{{- $groups := (fromYaml .rules).groups -}}
{{- if not .values.prometheusRule.allElections -}}
{{- range $groups -}}
  {{- $own := list -}}
  {{- range .rules }}{{ if eq (.alert | default "") "LeaseSidecarElectionAbsent" }}{{ $own = append $own . }}{{ end }}{{ end -}}
  {{- $_ := set . "rules" $own -}}
{{- end -}}
{{- end -}}
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata:
  name: {{ .name }}
  namespace: {{ .namespace }}
  labels: {{- merge .values.prometheusRule.labels .labels | toYaml | nindent 4 }}
spec:
  groups: {{- toYaml $groups | replace "acme-752b7817f6" .lease | nindent 4 }}
{{- end -}}
