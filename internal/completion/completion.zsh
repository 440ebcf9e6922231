#compdef lease-sidecar
# zsh completion for lease-sidecar: source <(lease-sidecar completion zsh), after compinit
_lease_sidecar() {
  local line word means
  local -a whole open
  for line in "${(@f)$("${(@Q)words[1]/#\~/$HOME}" __complete "${(@Q)words[2,CURRENT]}" 2>/dev/null)}"; do
    word=${line%%$'\t'*} means=${line#*$'\t'}
    case $word in
      @command)
        local dashes=${words[(i)--]}
        ((dashes < CURRENT)) || return
        shift $dashes words
        ((CURRENT -= dashes))
        _normal
        return
        ;;
      @file | @directory)
        compset -P "${(b)means}"
        if [[ $word == @file ]]; then _files; else _files -/; fi
        return
        ;;
      *[=:/]) open+=("${word//:/\\:}:$means") ;;
      ?*) whole+=("${word//:/\\:}:$means") ;;
    esac
  done
  _describe lease-sidecar whole -- open -S ''
}
if [[ ${funcstack[1]} == _lease* ]]; then # loaded from a directory of fpath, for this completion
  _lease_sidecar "$@"
else
  compdef _lease_sidecar lease-sidecar
fi
