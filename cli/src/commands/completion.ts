/** `o3 completion bash|zsh|fish`: a script made from the commands as they are. */

import type { Command } from 'commander'
import { bashCompletion } from '../completion/bash.ts'
import { fishCompletion } from '../completion/fish.ts'
import { wordsOf } from '../completion/words.ts'
import type { CommandWords } from '../completion/words.ts'
import { zshCompletion } from '../completion/zsh.ts'
import type { Environment } from '../command-line.ts'
import { oneOf } from '../shell/flags.ts'

const scripts: Readonly<Record<string, (commands: readonly CommandWords[]) => string>> = {
  bash: bashCompletion,
  zsh: zshCompletion,
  fish: fishCompletion,
}

export function addCompletion(program: Command, _env: Environment, whole: () => Promise<Command>): void {
  program
    .command('completion')
    .argument('<shell>', Object.keys(scripts).join(', '))
    .description('a script that completes commands: source <(o3 completion bash)')
    .action(async (shell: string) => {
      const name = oneOf(shell, Object.keys(scripts), 'shell that is known here')
      process.stdout.write((scripts[name] as (typeof scripts)[string])(wordsOf(await whole())))
    })
}
