#compdef lease-sidecar
_lease_sidecar() {
  local -a found
  local current="${words[CURRENT]}" before=("${(@)words[1,CURRENT-1]}")
  [[ "$current" == -* ]] && before+=("$current")
  found=("${(@f)$("${before[@]}" --generate-bash-completion 2>/dev/null)}")
  if [[ -n "${found[1]}" ]]; then
    compadd -- "${found[@]%%:*}"
  else
    _files
  fi
}
compdef _lease_sidecar lease-sidecar
