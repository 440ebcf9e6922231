# bash completion for lease-sidecar: source <(lease-sidecar completion bash)
_lease_sidecar() {
  # Readline cuts words at = and :, and the program wants whole ones. What is whole in the line and not in readline's word
  # is left out of each candidate: it stands there already.
  local line=${COMP_LINE:0:COMP_POINT} words current there word prefix kind path
  IFS=$' \t\n' read -ra words <<<"$line"
  [[ $line == *[[:space:]] ]] && words+=("")
  current=${words[${#words[@]} - 1]}
  there=${current%"${current##*[=:]}"}
  COMPREPLY=()
  while IFS=$'\t' read -r word prefix; do
    case $word in
      @*)
        kind=-f # what compgen is asked for
        [[ $word == @directory ]] && kind=-d
        [[ $word == @command && ${words[${#words[@]} - 2]} == -- ]] && kind=-c
        compopt -o filenames -o default 2>/dev/null
        while read -r path; do COMPREPLY+=("$prefix$path"); done < <(compgen "$kind" -- "${current#"$prefix"}")
        ;;
      *) COMPREPLY+=("$word") ;;
    esac
  done < <("${words[0]/#\~/$HOME}" __complete "${words[@]:1}" 2>/dev/null)
  COMPREPLY=("${COMPREPLY[@]#"$there"}")
  [[ ${#COMPREPLY[@]} == 1 && ${COMPREPLY[0]} == *[=:/] ]] && compopt -o nospace 2>/dev/null
  return 0
}
complete -F _lease_sidecar lease-sidecar
