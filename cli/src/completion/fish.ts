import { quoted } from './words.ts'
import type { CommandWords } from './words.ts'

export function fishCompletion(commands: readonly CommandWords[]): string {
  const lines = commands.flatMap(({ path, commands: children, options }) => {
    const when = `-n ${quoted(`test (__o3_at) = "${path}"`)}`
    return [
      ...children.map(
        ({ text, description }) => `complete -c o3 -f ${when} -a ${quoted(text)} -d ${quoted(description)}`,
      ),
      ...options.map(
        ({ text, description }) => `complete -c o3 ${when} -l ${quoted(text.slice(2))} -d ${quoted(description)}`,
      ),
    ]
  })
  return `# Completion of o3 for fish: o3 completion fish > ~/.config/fish/completions/o3.fish
function __o3_at
  set -l at o3
  for word in (commandline -opc)[2..-1]
    if contains -- "$at $word" ${commands
      .slice(1)
      .map(({ path }) => quoted(path))
      .join(' ')}
      set at "$at $word"
    end
  end
  echo $at
end
${lines.join('\n')}
`
}
