{{/* The program where the values give none: once a second it works or stands by, and it serves that over HTTP. */}}
{{- define "leader-web.program" -}}
{{- $dir := .Values.leaseSidecar.signalDir -}}
# Leading means: the file is there, and its time, the end of the term, is not past.
leads() {
  end=$(stat -c %Y {{ $dir }}/leader 2>/dev/null) && [ "$end" -gt "$(date +%s)" ]
}
say() {
  echo "$1"
  echo "$HOSTNAME: $1" >/tmp/www/new && mv /tmp/www/new /tmp/www/index.html
}
mkdir -p /tmp/www
httpd -f -p {{ .Values.containerPort }} -h /tmp/www &
trap 'echo stops; exit 0' TERM
works=
while :; do
  if ! leads; then
    exec 9<&-
    works=
    say "stands by"
  elif [ ! "$works" ]; then
    # The run lock is held while it works: by it the sidecar sees that the work has stopped, however it ends. The term may
    # end during the wait for the lock, so look again before any work.
    exec 9<{{ $dir }}/run.lock
    flock -s 9 || exit 1
    works=yes
    continue
  else
    say "works with token $(cat {{ $dir }}/leader)"
  fi
  sleep 1 9<&- & wait $!
done
{{- end -}}
