{{/* The sidecar's container, and the parts that the program's container has in child mode. */}}

{{- define "lease-sidecar.container" -}}
- name: lease-sidecar
  image: {{ include "lease-sidecar.image" . }}
  imagePullPolicy: {{ .values.image.pullPolicy }}
  {{- if eq .values.mode "native" }}
  restartPolicy: Always # a native sidecar: it starts before the program's container and stops after it
  {{- end }}
  args: {{- include "lease-sidecar.args" . | nindent 4 }}
  env: {{- include "lease-sidecar.ownEnv" . | nindent 4 }}
  ports: {{- include "lease-sidecar.ownPorts" . | nindent 4 }}
  {{- include "lease-sidecar.ownProbes" . | nindent 2 }}
  {{- if and (eq .values.mode "native") (ne .httpAddress "off") }}
  # The kubelet sends it SIGTERM only once the program has stopped. Until then it must not take the Lease.
  lifecycle:
    preStop:
      exec:
        command: [/lease-sidecar, leave{{ if ne .httpAddress "127.0.0.1:4040" }}, {{ printf "--http-address=%s" .httpAddress | quote }}{{ end }}]
  {{- end }}
  resources: {{- toYaml .values.resources | nindent 4 }}
  securityContext: {{- toYaml .values.securityContext | nindent 4 }}
  volumeMounts: {{- include "lease-sidecar.ownMounts" . | nindent 4 }}
{{- end -}}

{{- define "lease-sidecar.image" -}}
{{ printf "%s:%s" .values.image.repository .values.image.tag | quote }}
{{- end -}}

{{- define "lease-sidecar.ownEnv" -}}
- {name: POD_NAME, valueFrom: {fieldRef: {fieldPath: metadata.name}}}
- {name: POD_UID, valueFrom: {fieldRef: {fieldPath: metadata.uid}}}
- {name: POD_NAMESPACE, valueFrom: {fieldRef: {fieldPath: metadata.namespace}}}
- {name: NODE_NAME, valueFrom: {fieldRef: {fieldPath: spec.nodeName}}}
{{- end -}}

{{- define "lease-sidecar.ownPorts" -}}
- {name: lease-probe, containerPort: {{ int .values.probePort }}}
{{- end -}}

{{- define "lease-sidecar.ownProbes" -}}
# Holds the program's container back until the sidecar answers, never until somebody leads.
startupProbe:
  httpGet: {path: /startupz, port: lease-probe}
  periodSeconds: 1
  failureThreshold: 60
# Standbys are ready too: a rollout must not wait for each of them to lead.
readinessProbe:
  httpGet: {path: /readyz, port: lease-probe}
  periodSeconds: 5
# Slow to fail: a liveness kill ends the sidecar, and leadership is lost.
livenessProbe:
  httpGet: {path: /livez, port: lease-probe}
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 6
{{- end -}}

{{- define "lease-sidecar.ownMounts" -}}
- {name: lease-signal, mountPath: {{ .values.signalDir }}}
- {name: lease-podinfo, mountPath: /etc/podinfo, readOnly: true}
- {name: lease-token, mountPath: /var/run/secrets/kubernetes.io/serviceaccount, readOnly: true}
{{- end -}}
