import { quoted } from './words.ts'
import type { CommandWords } from './words.ts'

export function bashCompletion(commands: readonly CommandWords[]): string {
  const paths = commands.slice(1).map(({ path }) => quoted(path))
  const cases = commands.map(({ path, commands: children, options }) => {
    const words = [...children, ...options].map(({ text }) => text).join(' ')
    return `    ${quoted(path)}) words=${quoted(words)} ;;`
  })
  return `# Completion of o3 for bash: source <(o3 completion bash)
_o3() {
  local cur=\${COMP_WORDS[COMP_CWORD]} at=o3 words='' i
  for ((i = 1; i < COMP_CWORD; i++)); do
    case "$at \${COMP_WORDS[i]}" in
      ${paths.join(' | \\\n      ')}) at="$at \${COMP_WORDS[i]}" ;;
    esac
  done
  case "$at" in
${cases.join('\n')}
  esac
  COMPREPLY=()
  # Behind a command come its arguments: flags only when one was begun, else the shell offers files.
  if [[ $cur == -* || $words != -* ]]; then
    local word
    while IFS= read -r word; do COMPREPLY+=("$word"); done < <(compgen -W "$words" -- "$cur")
  fi
}
complete -o default -F _o3 o3
`
}
