{{/* The faults that a form does not show: what a value means, and what does not go with another one. A list of lines, as JSON. */}}
{{- define "lease-sidecar.conflicts" -}}
{{- $v := .values -}}
{{- $p := $v.process -}}
{{- $duration := include "lease-sidecar.seconds" $v.leaseDuration | int -}}
{{- $stop := include "lease-sidecar.seconds" $v.stopTimeout | int -}}
{{- $onElected := upper $p.onElected | trimPrefix "SIG" -}}
{{- $onLost := upper $p.onLost | trimPrefix "SIG" -}}
{{- $pausing := list "STOP" "TSTP" "TTIN" "TTOU" "19" "20" "21" "22" -}}
{{- $ending := list "TERM" "INT" "QUIT" "KILL" "15" "2" "3" "9" -}}
{{- $subdomain := `[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*` -}}
{{- $plural := `^(deploy|deployments|sts|statefulsets|ds|daemonsets|jobs|cj|cronjobs|rs|replicasets|rc|replicationcontrollers|po|pods|rollouts)/` -}}
{{- $isSignalled := or $p.name $p.pidFile $p.onElected $p.onLost $p.fence $p.watchAll -}}
{{- $faults := list -}}
{{- range list
    (list (or (not (regexMatch (printf "^[a-z][a-z0-9]{0,62}/%s$" $subdomain) .workload)) (regexMatch $plural .workload))
      (printf "the workload %q: want KIND/NAME with the whole kind in the singular, such as deployment/web" .workload))
    (list (empty .selectorLabels)
      "the template that describes the election: want selectorLabels, by which its pods are selected")
    (list (not (has $v.mode .modes))
      (printf "leaseSidecar.mode %q: want %s: the pods of this chart are made for that" $v.mode (join " or " .modes)))
    (list (and (eq $v.mode "native") (semverCompare "<1.29.0-0" .kubernetes))
      (printf "leaseSidecar.mode native: want classic on Kubernetes %s: an init container would never end there" .kubernetes))
    (list (or (lt $duration 3) (gt $duration 31536000))
      (printf "leaseSidecar.leaseDuration %q: want whole seconds, such as 15s or 1m30s, at least 3s" $v.leaseDuration))
    (list (lt $stop 1)
      (printf "leaseSidecar.stopTimeout %q: want whole seconds, such as 30s, at least 1s" $v.stopTimeout))
    (list (le (int .grace) $stop)
      (printf "terminationGracePeriodSeconds %d: want more than leaseSidecar.stopTimeout (%s), such as %d: the kubelet would kill the program while the sidecar still waits for it"
        (int .grace) $v.stopTimeout (add $stop 15)))
    (list (eq (splitList "@" $v.image.tag | first) "latest")
      (printf "leaseSidecar.image.tag %q: want a version, such as 0.1.0: behind latest, replicas may run different programs" $v.image.tag))
    (list (regexMatch `^([^/]*\.)?(kubernetes|k8s)\.io/|^pod-template-hash(=|$)` $v.label)
      (printf "leaseSidecar.label %q: want a key that is not Kubernetes' own, such as lease-sidecar.dev/role" $v.label))
    (list (and $v.label (hasKey .selectorLabels (splitList "=" $v.label | first)))
      (printf "leaseSidecar.label %q: want a key that the pods' selector does not have: the sidecar takes the label off standbys" $v.label))
    (list (regexMatch `^https?://(169\.254\.|0\.0\.0\.0|22[4-9]\.|23[0-9]\.|\[(::\]|(?i:fe[89ab]|ff)))` $v.webhookUrl)
      (printf "leaseSidecar.webhookUrl %q: want a receiver on loopback or in the cluster: that address is link-local or nobody's" $v.webhookUrl))
    (list (regexMatch (printf ":0*%d$" (int $v.probePort)) .httpAddress)
      (printf "leaseSidecar.httpAddress %q: want another port than leaseSidecar.probePort" .httpAddress))
    (list (gt (len (compact (list $v.health.url $v.health.tcp $v.health.file))) 1)
      "leaseSidecar.health: want one of url, tcp and file, not more")
    (list (and $v.health.fileMaxAge (not $v.health.file))
      "leaseSidecar.health.fileMaxAge: want health.file as well, whose age it limits")
    (list (and (or $p.onElected $p.onLost) (not (or $p.name $p.pidFile)))
      "leaseSidecar.process: want name or pidFile as well: the process that gets the signals")
    (list (has $onElected (concat $pausing $ending))
      (printf "leaseSidecar.process.onElected %q: want HUP, USR1, USR2 or CONT: this one ends or stops the replica that has just been elected" $p.onElected))
    (list (and $onElected (eq $onElected $onLost))
      (printf "leaseSidecar.process.onLost %q: want another signal than onElected" $p.onLost))
    (list (and (eq $p.fence "kill") (not (has $onLost $ending)) (or (not $onLost) (has $onLost (concat $pausing (list "CONT" "18")))))
      "leaseSidecar.process.fence kill: want onLost TERM: something has to ask the process to end before it is killed")
    (list (and (eq $v.mode "child") $isSignalled)
      "leaseSidecar.process: want nothing there in child mode: the sidecar starts and stops the program itself")
    (list (and $v.onChildExit (ne $v.mode "child"))
      (printf "leaseSidecar.onChildExit %q: want mode child, or nothing" $v.onChildExit))
    (list (and $v.imageVolume (ne $v.mode "child"))
      "leaseSidecar.imageVolume: want mode child, or false: the sidecar has a container of its own")
    (list (and $v.membership.sweep (not $v.membership.enabled))
      "leaseSidecar.membership.sweep: want membership.enabled as well")
    (list (and $v.membership.enabled $v.membership.policies (semverCompare "<1.30.0-0" .kubernetes))
      (printf "leaseSidecar.membership.policies: want false on Kubernetes %s, which has no ValidatingAdmissionPolicy" .kubernetes))
    (list (not (or $v.serviceAccount.create $v.serviceAccount.name))
      "leaseSidecar.serviceAccount.name: want the name of a ServiceAccount, as create is false")
-}}
{{- if first . -}}
  {{- $faults = append $faults (printf "- %s" (last .)) -}}
{{- end -}}
{{- end -}}
{{- /* A flag that a value sets: twice, its second would pass the checks above, or go without the rights that it needs. */ -}}
{{- $ours := include "lease-sidecar.flags" . | fromJsonArray | join "|" -}}
{{- range $v.extraArgs -}}
{{- if regexMatch (printf "^--?(%s|store|namespace|n|lease-name|identity)(=|$)|^--$" $ours) . -}}
  {{- $faults = append $faults (printf "- leaseSidecar.extraArgs %q: want the value of leaseSidecar for that, and only other flags here" .) -}}
{{- end -}}
{{- end -}}
{{- toJson $faults -}}
{{- end -}}
