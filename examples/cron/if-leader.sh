#!/bin/sh
# Runs a job only if this replica leads now: for a cron daemon, or a systemd timer, in each replica.
#
#   */5 * * * *  SIGNAL_DIR=/var/run/lease-sidecar /app/if-leader.sh /app/fetch.sh /app/report.sh
#
# Each argument is one step, a command of the job; it looks again before each, and stops where leadership is lost.
# With SIGNAL_DIR it asks the files, else over HTTP, at SIDECAR_URL. With SIGNAL_DIR the step finds its fencing
# token in TOKEN. Status 0: done, or not this replica's turn; 1: leadership was lost on the way, or a step failed.
#
# It fails closed: whatever is missing, stale or refused means "not leader".
set -u
dir=${SIGNAL_DIR:-} url=${SIDECAR_URL:-http://127.0.0.1:4040}

# leads succeeds while this replica leads. Best ask the binary, where the image has it: it knows the exact deadline.
# Without it, the leader file's time is validUntil by the wall clock; cut to the second, it is early and never late.
leads() {
  if [ -n "$dir" ] && command -v lease-sidecar >/dev/null; then
    lease-sidecar is-leader --signal-dir "$dir"
  elif [ -n "$dir" ]; then
    end=$(stat -c %Y "$dir/leader") && [ "$end" -gt "$(date +%s)" ]
  else
    curl --noproxy '*' --fail --silent --max-time 1 --output /dev/null "$url/leader"
  fi 2>/dev/null
}

# drained reports to the sidecar that the work has stopped, so that another replica may start at once.
drained() { curl --noproxy '*' --silent --max-time 1 --output /dev/null -X POST "$url/drained"; }

leads || {
  echo "standing by"
  exit 0
}
for step; do
  leads || {
    echo "lost leadership before $step"
    drained
    exit 1
  }
  TOKEN=$([ -z "$dir" ] || cat "$dir/leader" 2>/dev/null)
  export TOKEN
  echo "working token=$TOKEN step=$step"
  sh -c "$step" || exit 1
done
