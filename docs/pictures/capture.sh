#!/bin/sh
# Runs the demo as `make demo` does in a terminal of 80×24, and keeps what it leaves on the screen, with its colours, in demo.txt.
# It needs tmux.
#
#   make build && docs/pictures/capture.sh
set -eu
here=$(dirname "$(realpath "$0")")
cd "$here/../.."
tmux() { command tmux -L "lease-sidecar-capture-$$" -f /dev/null "$@"; }
trap 'tmux kill-server 2>/dev/null || true' EXIT
tmux new-session -d -x 80 -y 24 "bin/lease-sidecar demo; tmux wait-for -S done; exec sleep 60"
# shellcheck disable=SC2016 # the inner shell reads $0
timeout 120 sh -c 'command tmux -L "$0" wait-for done' "lease-sidecar-capture-$$"
tmux capture-pane -e -p >"$here/demo.txt"
