/** How each shell asks for what may come next; where nothing is known it offers files. */
export const SCRIPTS: Readonly<Record<string, string>> = {
  bash: `_windlass() {
  local IFS=$'\\n' cur="\${COMP_WORDS[COMP_CWORD]}"
  COMPREPLY=($(windlass __complete "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null | cut -f1))
}
complete -o default -F _windlass windlass`,
  zsh: `#compdef windlass
_windlass() {
  local line
  local -a found
  for line in "\${(@f)$(windlass __complete "\${(@)words[2,CURRENT]}" 2>/dev/null)}"; do
    [[ -n "$line" ]] && found+=("\${line/$'\\t'/:}")
  done
  (( $#found )) && _describe windlass found || _files
}
compdef _windlass windlass`,
  fish: `function __windlass_complete
  set -l found (windlass __complete (commandline -opc)[2..] (commandline -ct) 2>/dev/null)
  if set -q found[1]
    printf '%s\\n' $found
  else
    __fish_complete_path (commandline -ct)
  end
end
complete -c windlass -f -a '(__windlass_complete)'`,
};
