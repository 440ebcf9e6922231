{{- define "lease-sidecar.metadata" -}}
name: {{ .name }}
namespace: {{ .namespace }}
labels: {{- toYaml .labels | nindent 2 }}
{{- end -}}

{{- define "lease-sidecar.serviceAccount" -}}
apiVersion: v1
kind: ServiceAccount
metadata:
  name: {{ .account }}
  namespace: {{ .namespace }}
  labels: {{- toYaml .labels | nindent 4 }}
  {{- with .values.serviceAccount.annotations }}
  annotations: {{- toYaml . | nindent 4 }}
  {{- end }}
automountServiceAccountToken: false
{{- end -}}

{{- define "lease-sidecar.role" -}}
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {{- include "lease-sidecar.metadata" . | nindent 2 }}
rules:
  # One Lease by its name. It is shipped, so nobody needs to create it; and nobody may delete it.
  - apiGroups: [coordination.k8s.io]
    resources: [leases]
    resourceNames: [{{ .lease }}]
    verbs: [get, watch, update]
  {{- if or .values.label .liveLabel }}
  # RBAC cannot limit a patch to a label; the ValidatingAdmissionPolicy does.
  - apiGroups: [""]
    resources: [pods]
    verbs: [get, list, patch]
  {{- end }}
  {{- if or .values.events .liveEvents }}
  - apiGroups: [""]
    resources: [events]
    verbs: [create]
  {{- end }}
  {{- if or .values.membership.enabled .liveMembership }}
  # The Leases of the members. RBAC cannot limit it to them; the ValidatingAdmissionPolicies do.
  - apiGroups: [coordination.k8s.io]
    resources: [leases]
    verbs: [get, list, watch, create, update{{ if or .values.membership.sweep .liveSweep }}, delete{{ end }}]
  {{- end }}
  {{- with .values.rbac.extraRules }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end -}}

{{- define "lease-sidecar.roleBinding" -}}
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {{- include "lease-sidecar.metadata" . | nindent 2 }}
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: Role
  name: {{ .name }}
subjects:
  - kind: ServiceAccount
    name: {{ .account }}
    namespace: {{ .namespace }}
{{- end -}}

{{/*
The value of a flag of the pods that run now; "" where they do not have it, and where Helm cannot see them (a first install, helm template).
An upgrade that turns "label", "events" or "membership" off keeps the right: the old pods use it once more when they stop. The next upgrade takes the
right away. A tool that only renders charts keeps a right by rbac.extraRules.
*/}}
{{- define "lease-sidecar.live" -}}
{{- $e := first . -}}
{{- $kind := get (dict "deployment" "Deployment" "statefulset" "StatefulSet" "daemonset" "DaemonSet") $e.kind -}}
{{- if $kind -}}
{{- $live := lookup "apps/v1" $kind $e.namespace $e.name | toJson -}}
{{- regexFind (printf `"--%s=[^"]+"` (last .)) $live | trimAll `"` | trimPrefix (printf "--%s=" (last .)) -}}
{{- end -}}
{{- end -}}
