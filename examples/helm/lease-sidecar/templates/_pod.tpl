{{/* What a chart includes in its pods. Each takes the list that _election.tpl describes. */}}

{{/* Fields of the pod's spec. */}}
{{- define "lease-sidecar.pod" -}}
{{- $e := include "lease-sidecar.election" . | fromJson -}}
{{- $p := $e.values.process -}}
serviceAccountName: {{ $e.account }}
# The token is mounted where the sidecar runs, and nowhere else.
automountServiceAccountToken: false
terminationGracePeriodSeconds: {{ int $e.grace }}
{{- if or $p.name $p.pidFile $p.watchAll }}
shareProcessNamespace: true # the sidecar sees the program's process
{{- end }}
{{- if $e.hostNetwork }}
hostNetwork: true
dnsPolicy: ClusterFirstWithHostNet
{{- end }}
{{- end -}}

{{/* Items of initContainers: the native sidecar; in child mode the container that copies the binary, unless an image volume brings it. */}}
{{- define "lease-sidecar.initContainers" -}}
{{- $e := include "lease-sidecar.election" . | fromJson -}}
{{- if eq $e.values.mode "native" -}}
{{ include "lease-sidecar.container" $e }}
{{- else if and (eq $e.values.mode "child") (not $e.values.imageVolume) -}}
- name: lease-sidecar-install
  image: {{ include "lease-sidecar.image" $e }}
  imagePullPolicy: {{ $e.values.image.pullPolicy }}
  args: [install, /opt/lease-sidecar/lease-sidecar]
  resources: {{- toYaml $e.values.resources | nindent 4 }}
  securityContext: {{- toYaml $e.values.securityContext | nindent 4 }}
  volumeMounts:
    - {name: lease-binary, mountPath: /opt/lease-sidecar}
{{- end -}}
{{- end -}}

{{/* Items of containers: the sidecar in classic mode. Put them first: the kubelet starts containers in their order. */}}
{{- define "lease-sidecar.containers" -}}
{{- $e := include "lease-sidecar.election" . | fromJson -}}
{{- if eq $e.values.mode "classic" -}}
{{ include "lease-sidecar.container" $e }}
{{- end -}}
{{- end -}}

{{/* Items of volumeMounts of the program's container. Never mount by subPath: a renamed file would not appear there. */}}
{{- define "lease-sidecar.volumeMounts" -}}
{{- $e := include "lease-sidecar.election" . | fromJson -}}
{{- if eq $e.values.mode "child" -}}
- {name: lease-binary, mountPath: /opt/lease-sidecar, readOnly: true}
{{ include "lease-sidecar.ownMounts" $e }}
{{- else -}}
- {name: lease-signal, mountPath: {{ $e.values.signalDir }}, readOnly: true}
{{- end -}}
{{- end -}}

{{/* Child mode: the command of the program's container. The program with its arguments becomes the container's args. */}}
{{- define "lease-sidecar.command" -}}
{{- $e := include "lease-sidecar.election" . | fromJson -}}
- /opt/lease-sidecar/lease-sidecar
{{ include "lease-sidecar.args" $e }}
- --
{{- end -}}

{{/* Child mode: items of env, items of ports, and the probes of the program's container, which are the sidecar's: a standby runs no program. */}}
{{- define "lease-sidecar.env" -}}
{{- include "lease-sidecar.ownEnv" . -}}
{{- end -}}
{{- define "lease-sidecar.ports" -}}
{{- include "lease-sidecar.ownPorts" (include "lease-sidecar.election" . | fromJson) -}}
{{- end -}}
{{- define "lease-sidecar.probes" -}}
{{- include "lease-sidecar.ownProbes" . -}}
{{- end -}}

{{/* Items of volumes. */}}
{{- define "lease-sidecar.volumes" -}}
{{- $e := include "lease-sidecar.election" . | fromJson -}}
# What the sidecar writes for the program: a few hundred bytes in memory. It outlives a container, so a restarted sidecar resumes.
- name: lease-signal
  emptyDir: {medium: Memory, sizeLimit: 1Mi}
- name: lease-podinfo
  downwardAPI:
    items:
      - {path: labels, fieldRef: {fieldPath: metadata.labels}}
- name: lease-token
  projected:
    sources:
      - serviceAccountToken: {path: token, expirationSeconds: 3607}
      - configMap: {name: kube-root-ca.crt, items: [{key: ca.crt, path: ca.crt}]}
      - downwardAPI: {items: [{path: namespace, fieldRef: {fieldPath: metadata.namespace}}]}
{{- if and (eq $e.values.mode "child") $e.values.imageVolume }}
- name: lease-binary
  image: {reference: {{ include "lease-sidecar.image" $e }}, pullPolicy: {{ $e.values.image.pullPolicy }}}
{{- else if eq $e.values.mode "child" }}
- name: lease-binary
  emptyDir: {sizeLimit: 64Mi}
{{- end }}
{{- end -}}
