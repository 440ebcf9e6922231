_lease_sidecar() {
  local current="${COMP_WORDS[COMP_CWORD]}" before=("${COMP_WORDS[@]:0:COMP_CWORD}") found
  case "$current" in
    -*) found="$("${before[@]}" "$current" --generate-bash-completion 2>/dev/null)" ;;
    *) found="$("${before[@]}" --generate-bash-completion 2>/dev/null)" ;;
  esac
  COMPREPLY=($(compgen -W "${found}" -- "$current"))
}
complete -o default -F _lease_sidecar lease-sidecar
