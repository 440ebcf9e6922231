{{/*
What cannot work in an election's values: a line for each fault, with what to write instead; "" where nothing is wrong. The rules are those
of the program: without them the pods end with status 2. values.schema.json refuses the rest: wrong types, unknown names, numbers out of
range. A form is judged here, as the schema can only say "does not match pattern" or "'not' failed".
*/}}
{{- define "lease-sidecar.faults" -}}
{{- $v := .values -}}
{{- $time := `^$|^([0-9]+(\.[0-9]+)?(ms|s|m|h))+$` -}}
{{- $path := `^$|^/[^\x00-\x20]*$` -}}
{{- $url := `^$|^https?://([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?([/?][^#\x00-\x20\x7f]*)?$` -}}
{{- $signal := `^$|^(?i:SIG)?[A-Za-z][A-Za-z0-9]{1,7}$|^([1-9]|[1-5][0-9]|6[0-4])$` -}}
{{- $octet := `(25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])` -}}
{{- $port := `([0-9]{1,4}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])` -}}
{{- $address := printf `((%s\.){3}%s|localhost|\[[0-9A-Fa-f:.]+\])?:%s$|^unix:[^@\x00][^\x00]{0,106}$` $octet $octet $port -}}
{{- $part := `[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?` -}}
{{- $subdomain := `[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*` -}}
{{- $faults := list -}}
{{- range list
    (list "prefix" $v.prefix `^[a-z0-9]([-a-z0-9]{0,50}[a-z0-9])?$`
      "1 to 52 lower-case letters, digits and '-', a letter or digit first and last")
    (list "image.repository" $v.image.repository `^([^/:@\s]+(:[0-9]+)?/)*[^/:@\s]+$`
      "an image's name without its tag, such as registry.example.com/lease-sidecar")
    (list "image.tag" $v.image.tag `^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}(@sha256:[0-9a-f]{64})?$` "a tag such as 0.1.0, or TAG@sha256:DIGEST")
    (list "drainTimeout" $v.drainTimeout $time "a time such as 5s, or nothing")
    (list "signalDir" $v.signalDir `^(/[A-Za-z0-9_-][A-Za-z0-9._-]*)+$` "the absolute path of a directory, such as /var/run/lease-sidecar")
    (list "httpAddress" .httpAddress (printf "^off$|^%s" $address)
      "off, an address such as 127.0.0.1:4040 (no name but localhost, a port up to 65535), or unix:PATH with at most 107 bytes")
    (list "webhookUrl" $v.webhookUrl $url "a URL without user and fragment, such as http://127.0.0.1:8080/leadership")
    (list "label" $v.label (printf "^$|^(%s/)?%s(=%s)?$" $subdomain $part $part)
      "KEY or KEY=VALUE, such as lease-sidecar.dev/role: letters, digits, '-', '_' and '.', at most 63")
    (list "serviceAccount.name" $v.serviceAccount.name (printf "^$|^%s$" $subdomain) "a name of lower-case letters, digits, '-' and '.', or nothing")
    (list "health.url" $v.health.url $url "a URL without user and fragment, such as http://127.0.0.1:8080/healthz")
    (list "health.tcp" $v.health.tcp (printf "^$|^%s" $address) "an address such as 127.0.0.1:8080 (no name but localhost), or unix:PATH")
    (list "health.file" $v.health.file $path "an absolute path")
    (list "health.fileMaxAge" $v.health.fileMaxAge $time "a time such as 30s, or nothing")
    (list "health.interval" $v.health.interval $time "a time such as 1s, or nothing")
    (list "health.startGrace" $v.health.startGrace $time "a time such as 30s, or nothing")
    (list "process.name" $v.process.name `^[^/\x00-\x1f]*$` "the bare name of a program, such as nginx")
    (list "process.pidFile" $v.process.pidFile $path "an absolute path")
    (list "process.onElected" $v.process.onElected $signal "a signal such as HUP, SIGUSR1 or 10")
    (list "process.onLost" $v.process.onLost $signal "a signal such as USR2, SIGTERM or 12")
-}}
{{- if not (regexMatch (index . 2) (index . 1)) -}}
  {{- $faults = append $faults (printf "- leaseSidecar.%s %q: want %s" (index . 0) (index . 1) (index . 3)) -}}
{{- end -}}
{{- end -}}
{{- join "\n" (concat $faults (include "lease-sidecar.conflicts" . | fromJsonArray)) -}}
{{- end -}}
