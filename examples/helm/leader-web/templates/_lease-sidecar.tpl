{{/*
All that the sidecar adds to a chart. To use it in a chart of your own, copy this file and the values below
"leaseSidecar", set "lease-sidecar.workload" to your Deployment (or StatefulSet), and include

  in the pod's spec         serviceAccountName: {{ include "lease-sidecar.name" . }}
                            automountServiceAccountToken: false
                            terminationGracePeriodSeconds: 45 (more than --stop-timeout, which is 30 s)
  under initContainers      {{- include "lease-sidecar.container" . | nindent 8 }}
  under volumes             {{- include "lease-sidecar.volumes" . | nindent 8 }}
  under your volumeMounts   {{- include "lease-sidecar.mount" . | nindent 12 }}
  in a file of its own      {{ include "lease-sidecar.objects" . }}
*/}}

{{/* The workload whose replicas elect one leader, as KIND/NAME: the one definition to adapt. */}}
{{- define "lease-sidecar.workload" -}}
deployment/{{ include "leader-web.fullname" . }}
{{- end -}}

{{/* The labels of the sidecar's objects. */}}
{{- define "lease-sidecar.labels" -}}
{{ include "leader-web.labels" . }}
{{- end -}}

{{/* The name of the ServiceAccount, the Role and the RoleBinding. */}}
{{- define "lease-sidecar.name" -}}
{{- include "lease-sidecar.workload" . | splitList "/" | last -}}
{{- end -}}

{{/* The Lease's name: the same as "lease-sidecar name --prefix … --workload …" prints. */}}
{{- define "lease-sidecar.lease" -}}
{{- printf "%s-%s" .Values.leaseSidecar.prefix (include "lease-sidecar.workload" . | sha256sum | trunc 10) -}}
{{- end -}}

{{/* Where the application asks over HTTP. With hostNetwork, which is a value of the chart's own, 127.0.0.1 is the node's. */}}
{{- define "lease-sidecar.httpAddress" -}}
{{- $own := ternary (printf "unix:%s/http.sock" .Values.leaseSidecar.signalDir) "127.0.0.1:4040" (.Values.hostNetwork | default false) -}}
{{- default $own .Values.leaseSidecar.httpAddress -}}
{{- end -}}

{{- define "lease-sidecar.container" -}}
- name: lease-sidecar
  image: "{{ .Values.leaseSidecar.image.repository }}:{{ default .Chart.AppVersion .Values.leaseSidecar.image.tag }}"
  imagePullPolicy: {{ .Values.leaseSidecar.image.pullPolicy }}
  restartPolicy: Always # a native sidecar: it starts before the application and stops after it
  args:
    - run
    - --prefix={{ .Values.leaseSidecar.prefix }}
    - --workload={{ include "lease-sidecar.workload" . }}
    - --lease-duration={{ .Values.leaseSidecar.leaseDuration }}
    - --signal-dir={{ .Values.leaseSidecar.signalDir }}
    - --http-address={{ include "lease-sidecar.httpAddress" . }}
    - --probe-address=:{{ .Values.leaseSidecar.probePort }}
    {{- with .Values.leaseSidecar.label }}
    - --label={{ . }}
    {{- end }}
    {{- with .Values.leaseSidecar.webhookUrl }}
    - {{ printf "--webhook-url=%s" . | quote }}
    {{- end }}
    {{- if .Values.leaseSidecar.events }}
    - --events
    {{- end }}
    {{- range .Values.leaseSidecar.extraArgs }}
    - {{ . | quote }}
    {{- end }}
  env:
    - {name: POD_NAME, valueFrom: {fieldRef: {fieldPath: metadata.name}}}
    - {name: POD_UID, valueFrom: {fieldRef: {fieldPath: metadata.uid}}}
    - {name: POD_NAMESPACE, valueFrom: {fieldRef: {fieldPath: metadata.namespace}}}
    - {name: NODE_NAME, valueFrom: {fieldRef: {fieldPath: spec.nodeName}}}
  ports:
    - {name: lease-probe, containerPort: {{ .Values.leaseSidecar.probePort }}}
  # Holds the application back until the sidecar answers, never until somebody leads.
  startupProbe:
    httpGet: {path: /startupz, port: lease-probe}
    periodSeconds: 1
    failureThreshold: 60
  # Slow to fail: a liveness kill ends the sidecar alone, and leadership is lost.
  livenessProbe:
    httpGet: {path: /livez, port: lease-probe}
    periodSeconds: 10
    timeoutSeconds: 5
    failureThreshold: 6
  # Standbys are ready too: a rollout must not wait for each of them to lead.
  readinessProbe:
    httpGet: {path: /readyz, port: lease-probe}
    periodSeconds: 5
  {{- with .Values.leaseSidecar.resources }}
  resources: {{- toYaml . | nindent 4 }}
  {{- end }}
  securityContext:
    runAsNonRoot: true
    runAsUser: 65532
    runAsGroup: 65532
    allowPrivilegeEscalation: false
    readOnlyRootFilesystem: true
    capabilities: {drop: [ALL]}
    seccompProfile: {type: RuntimeDefault}
  volumeMounts:
    - {name: lease-signal, mountPath: {{ .Values.leaseSidecar.signalDir }}}
    - {name: lease-podinfo, mountPath: /etc/podinfo, readOnly: true}
    - {name: lease-token, mountPath: /var/run/secrets/kubernetes.io/serviceaccount, readOnly: true}
{{- end -}}

{{- define "lease-sidecar.volumes" -}}
# What the sidecar writes for the application: a few hundred bytes in memory.
- name: lease-signal
  emptyDir: {medium: Memory, sizeLimit: 1Mi}
- name: lease-podinfo
  downwardAPI:
    items:
      - {path: labels, fieldRef: {fieldPath: metadata.labels}}
# The ServiceAccount's token, for the sidecar alone.
- name: lease-token
  projected:
    sources:
      - serviceAccountToken: {path: token, expirationSeconds: 3607}
      - configMap: {name: kube-root-ca.crt, items: [{key: ca.crt, path: ca.crt}]}
      - downwardAPI: {items: [{path: namespace, fieldRef: {fieldPath: metadata.namespace}}]}
{{- end -}}

{{/* The application's view of the signal directory: the whole directory, read-only, never by subPath. */}}
{{- define "lease-sidecar.mount" -}}
- {name: lease-signal, mountPath: {{ .Values.leaseSidecar.signalDir }}, readOnly: true}
{{- end -}}

{{- define "lease-sidecar.objects" -}}
apiVersion: v1
kind: ServiceAccount
metadata:
  name: {{ include "lease-sidecar.name" . }}
  namespace: {{ .Release.Namespace }}
  labels: {{- include "lease-sidecar.labels" . | nindent 4 }}
automountServiceAccountToken: false
---
# The election's Lease. It has no spec here, so that an upgrade leaves alone what the sidecars wrote.
apiVersion: coordination.k8s.io/v1
kind: Lease
metadata:
  name: {{ include "lease-sidecar.lease" . }}
  namespace: {{ .Release.Namespace }}
  labels:
    {{- include "lease-sidecar.labels" . | nindent 4 }}
    lease-sidecar.dev/election: "true"
  annotations:
    lease-sidecar.dev/workload: {{ include "lease-sidecar.workload" . }}
---
# Nothing but this one Lease. The Lease is shipped, so nobody needs to create it.
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata:
  name: {{ include "lease-sidecar.name" . }}
  namespace: {{ .Release.Namespace }}
  labels: {{- include "lease-sidecar.labels" . | nindent 4 }}
rules:
  - apiGroups: [coordination.k8s.io]
    resources: [leases]
    resourceNames: [{{ include "lease-sidecar.lease" . }}]
    verbs: [get, watch, update]
  {{- if .Values.leaseSidecar.label }}
  # RBAC cannot limit a patch to a label; the policy below does.
  - apiGroups: [""]
    resources: [pods]
    verbs: [get, list, patch]
  {{- end }}
  {{- if .Values.leaseSidecar.events }}
  - apiGroups: [""]
    resources: [events]
    verbs: [create]
  {{- end }}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata:
  name: {{ include "lease-sidecar.name" . }}
  namespace: {{ .Release.Namespace }}
  labels: {{- include "lease-sidecar.labels" . | nindent 4 }}
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: Role
  name: {{ include "lease-sidecar.name" . }}
subjects:
  - kind: ServiceAccount
    name: {{ include "lease-sidecar.name" . }}
    namespace: {{ .Release.Namespace }}
{{- if and .Values.leaseSidecar.label .Values.leaseSidecar.labelPolicy }}
---
{{ include "lease-sidecar.labelPolicy" . }}
{{- end }}
{{- end -}}

{{/* Limits what the ServiceAccount may do to Pods: one label and its annotation, on Pods that run as it. */}}
{{- define "lease-sidecar.labelPolicy" -}}
{{- $label := splitList "=" .Values.leaseSidecar.label -}}
{{- $policy := printf "%s-%s-pod-label" .Release.Namespace (include "lease-sidecar.name" .) -}}
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata:
  name: {{ $policy }}
  labels: {{- include "lease-sidecar.labels" . | nindent 4 }}
spec:
  failurePolicy: Fail
  matchConstraints:
    resourceRules:
      - {apiGroups: [""], apiVersions: [v1], resources: [pods], operations: [UPDATE]}
  matchConditions:
    - name: by-the-sidecars
      expression: request.userInfo.username == 'system:serviceaccount:{{ .Release.Namespace }}:{{ include "lease-sidecar.name" . }}'
  variables:
    - {name: key, expression: "'{{ first $label }}'"}
    - {name: value, expression: "'{{ rest $label | first | default "leader" }}'"}
    - {name: labels, expression: "has(object.metadata.labels) ? object.metadata.labels : {}"}
    - {name: oldLabels, expression: "has(oldObject.metadata.labels) ? oldObject.metadata.labels : {}"}
    - {name: notes, expression: "has(object.metadata.annotations) ? object.metadata.annotations : {}"}
    - {name: oldNotes, expression: "has(oldObject.metadata.annotations) ? oldObject.metadata.annotations : {}"}
  validations:
    - expression: object.spec == oldObject.spec
      message: this account may not change a Pod's spec
      reason: Forbidden
    - expression: "object.spec.serviceAccountName == '{{ include "lease-sidecar.name" . }}'"
      message: this account may only label Pods that run as it
      reason: Forbidden
    - expression: >-
        !(variables.key in variables.labels) || variables.labels[variables.key] == variables.value
      message: this account may give the label one value only
      reason: Forbidden
    - expression: >-
        variables.labels.all(k, k == variables.key || k in variables.oldLabels && variables.oldLabels[k] == variables.labels[k]) &&
        variables.oldLabels.all(k, k == variables.key || k in variables.labels)
      message: this account may change one label only
      reason: Forbidden
    - expression: >-
        variables.notes.all(k, k == variables.key || k in variables.oldNotes && variables.oldNotes[k] == variables.notes[k]) &&
        variables.oldNotes.all(k, k == variables.key || k in variables.notes)
      message: this account may change one annotation only
      reason: Forbidden
    - expression: >-
        (has(object.metadata.ownerReferences) ? object.metadata.ownerReferences : []) ==
        (has(oldObject.metadata.ownerReferences) ? oldObject.metadata.ownerReferences : []) &&
        (has(object.metadata.finalizers) ? object.metadata.finalizers : []) ==
        (has(oldObject.metadata.finalizers) ? oldObject.metadata.finalizers : [])
      message: this account may not change a Pod's owners or finalizers
      reason: Forbidden
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata:
  name: {{ $policy }}
  labels: {{- include "lease-sidecar.labels" . | nindent 4 }}
spec:
  policyName: {{ $policy }}
  validationActions: [Deny]
{{- end -}}
