{{/*
Who reaches the probe port, and, where the API server's addresses are given, whom the pods reach. A NetworkPolicy is for whole pods: the
program's own traffic needs the values "ingress" and "egress". The kubelet's probes pass in any case.
*/}}
{{- define "lease-sidecar.networkPolicy" -}}
{{- $n := .values.networkPolicy -}}
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {{- include "lease-sidecar.metadata" . | nindent 2 }}
spec:
  podSelector:
    matchLabels: {{- toYaml .selectorLabels | nindent 6 }}
  policyTypes: [Ingress{{ if $n.apiServer }}, Egress{{ end }}]
  ingress:
    - ports: [{port: {{ int .values.probePort }}, protocol: TCP}]
      {{- with $n.metricsFrom }}
      from: {{- toYaml . | nindent 8 }}
      {{- end }}
    {{- with $n.ingress }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  {{- if $n.apiServer }}
  egress:
    - to:
        {{- range $n.apiServer }}
        - ipBlock: {cidr: {{ . }}}
        {{- end }}
    {{- with $n.egress }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  {{- end }}
{{- end -}}
