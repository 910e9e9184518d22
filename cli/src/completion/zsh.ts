import { quoted } from './words.ts'
import type { CommandWords, Word } from './words.ts'

export function zshCompletion(commands: readonly CommandWords[]): string {
  const paths = commands.slice(1).map(({ path }) => quoted(path))
  const entry = ({ text, description }: Word): string => quoted(`${text}:${description.replaceAll(':', ' ')}`)
  const cases = commands.map(
    ({ path, commands: children, options }) =>
      `    (${quoted(path)}) children=(${children.map(entry).join(' ')}); flags=(${options.map(entry).join(' ')}) ;;`,
  )
  return `#compdef o3
# Completion of o3 for zsh: o3 completion zsh > "\${fpath[1]}/_o3"
_o3() {
  local at=o3 word
  local -a children flags
  for word in "\${(@)words[2,CURRENT-1]}"; do
    case "$at $word" in
      (${paths.join('|')}) at="$at $word" ;;
    esac
  done
  case "$at" in
${cases.join('\n')}
  esac
  if (( \${#children} )); then _describe command children; fi
  if [[ $PREFIX == -* ]]; then _describe option flags; elif (( ! \${#children} )); then _files; fi
}
if [[ $funcstack[1] == _o3 ]]; then _o3 "$@"; else compdef _o3 o3; fi
`
}
