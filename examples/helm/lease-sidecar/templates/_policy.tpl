{{/* Limits what the ServiceAccount may do to Pods: one label and the annotation of its name, on Pods that run as it. */}}
{{- define "lease-sidecar.labelPolicy" -}}
{{- /* An object of the cluster. A namespace has no dot: no two elections make one name. */ -}}
{{- $policy := printf "%s.%s.pod-label" .namespace .name -}}
{{- $label := splitList "=" (.values.label | default .liveLabel) -}}
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata:
  name: {{ $policy }}
  labels: {{- toYaml .labels | nindent 4 }}
spec:
  failurePolicy: Fail
  matchConstraints:
    resourceRules:
      - {apiGroups: [""], apiVersions: [v1], resources: [pods], operations: [UPDATE]}
  matchConditions:
    - name: by-the-sidecars
      expression: request.userInfo.username == 'system:serviceaccount:{{ .namespace }}:{{ .account }}'
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
    - expression: "object.spec.serviceAccountName == '{{ .account }}'"
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
  labels: {{- toYaml .labels | nindent 4 }}
spec:
  policyName: {{ $policy }}
  validationActions: [Deny]
{{- end -}}

{{/*
Limits what the ServiceAccount may do to Leases: the policy of a file of this chart, which names an example's account and Lease. Here they are
those of this election. It takes a dict: election, kind (the last part of the policy's name) and file (the text).
*/}}
{{- define "lease-sidecar.leasePolicy" -}}
{{- $e := .election -}}
{{- $text := .file
      | replace "acme-752b7817f6" $e.lease
      | replace "system:serviceaccount:default:web" (printf "system:serviceaccount:%s:%s" $e.namespace $e.account)
      | replace (printf "default-web-%s" .kind) (printf "%s.%s.%s" $e.namespace $e.name .kind) -}}
{{- $objects := list -}}
{{- range splitList "\n---\n" $text -}}
  {{- $object := fromYaml . -}}
  {{- $_ := set $object.metadata "labels" $e.labels -}}
  {{- $objects = append $objects (toYaml $object) -}}
{{- end -}}
{{- join "\n---\n" $objects -}}
{{- end -}}
