{{/* The program where the values give none: while it is the primary, it writes to /data/journal, and it serves /data over HTTP. */}}
{{- define "leader-stateful.program" -}}
# Leading means: the file is there, and its time, the end of the term, is not past.
cd {{ .Values.leaseSidecar.signalDir }}
leads() {
  end=$(stat -c %Y leader 2>/dev/null) && [ "$end" -gt "$(date +%s)" ]
}
httpd -f -p {{ .Values.containerPort }} -h /data &
trap 'echo stops; exit 0' TERM
works=
while :; do
  if ! leads; then
    [ ! "$works" ] || echo "is a standby"
    exec 9<&-
    works=
  elif [ ! "$works" ]; then
    # The run lock is held while it works: by it the sidecar sees that the work has stopped, however it ends. The term
    # may end during the wait for the lock, so look again before any work.
    exec 9<run.lock
    flock -s 9 || exit 1
    works=yes
    echo "is the primary"
    continue
  else
    echo "$(date +%T) $HOSTNAME, token $(cat leader)" >>/data/journal
  fi
  sleep 1 9<&- & wait $!
done
{{- end -}}
