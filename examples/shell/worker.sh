#!/bin/sh
# A worker that works only while its replica leads. POSIX sh, sed, coreutils and util-linux (flock); curl for what goes
# over HTTP.
#
#   SIGNAL_DIR=/var/run/lease-sidecar ./worker.sh     asks the files
#   ./worker.sh                                       asks over HTTP, at SIDECAR_URL
#
# It fails closed: whatever is missing, half, stale, of another boot or refused means "not leader".
set -u
dir=${SIGNAL_DIR:-} url=${SIDECAR_URL:-http://127.0.0.1:4040} interval=${INTERVAL:-1}
boot=$(cat /proc/sys/kernel/random/boot_id)
trap 'exit 0' TERM INT # as pid 1 a shell would not die of them

# document prints what the sidecar says now, or nothing.
document() {
  if [ -n "$dir" ]; then
    fresh "$dir/leader" && head -c 16384 "$dir/state.json"
  else
    curl --noproxy '*' --fail --silent --max-time 1 "$url/leader"
  fi 2>/dev/null
}

# fresh succeeds while a leader file's time, which is validUntil by the wall clock, is not past. It is cut to the second
# and guards only against an uptime that is not the boot clock's (lxcfs); the exact deadline is in the document.
fresh() { end=$(stat -c %Y "$1") && [ "$end" -ge "$(date +%s)" ]; }

# term prints the token if the document on its input gives this replica a term that runs now. Within a JSON string each
# quote has a backslash before it, so the patterns cannot match inside one. Uptime counts in hundredths of a second,
# rounded down: the deadline is cut to hundredths as well, and must be a whole step ahead.
term() {
  # shellcheck disable=SC2046 # digits and a UUID: the words are wanted
  set -- $(sed -n 's/^{.*"isLeader":true,.*"token":"\([0-9]\{1,\}\)",.*"validUntilBoottimeNs":"\([0-9]\{1,\}\)[0-9]\{7\}","bootID":"\([-0-9a-f]\{36\}\)".*}$/\1 \2 \3/p')
  read -r up _ </proc/uptime
  [ $# = 3 ] && [ "$3" = "$boot" ] && [ "${up%.*}${up#*.}" -lt "$2" ] && echo "$1"
}

# drained reports to the sidecar that the work has stopped, so that another replica may start at once.
drained() { curl --noproxy '*' --silent --max-time 1 --output /dev/null -X POST "$url/drained"; }

# hold takes the run lock, by which the sidecar sees this worker at work, and sees its end, however it ends; let_go ends
# that. A program that is started meanwhile has the lock too. Where the lock is held already it is kept: to open the file
# again would release it for a moment, which looks like a crash.
held=
hold() { [ "$held" ] || [ ! -r "$dir/run.lock" ] || { exec 9<"$dir/run.lock"; flock -s 9 || exit 1; held=yes; }; }
let_go() { exec 9<&-; held=; }

# work is one short piece: it ends well within the gap between renew deadline and lease duration. Whatever it writes
# to should refuse a token lower than one it has seen.
work() {
  unit=$((unit + 1))
  echo "working token=$1 unit=$unit"
  sleep 0.2
}

unit=0 printed=unknown
while :; do
  token=$(document | term)
  if [ "$token" != "$printed" ]; then
    if [ -n "$token" ]; then
      hold
      echo "leading token=$token"
    else
      let_go
      echo "standing by"
      drained
    fi
    printed=$token # and look again before any work: the term may have ended during the wait for the lock
  elif [ -n "$token" ]; then
    work "$token"
  else
    sleep "$interval"
  fi
done
