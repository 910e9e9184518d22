import type { Command } from 'commander'

export interface Word {
  readonly text: string
  readonly description: string
}

/** What may follow one command. */
export interface CommandWords {
  /** As typed: `o3 sh key`. */
  readonly path: string
  readonly commands: readonly Word[]
  readonly options: readonly Word[]
}

/** Of every command in the tree, parents first. */
export function wordsOf(command: Command, parents = ''): readonly CommandWords[] {
  const path = `${parents}${command.name()}`
  const own: CommandWords = {
    path,
    commands: command.commands.map((child) => ({ text: child.name(), description: child.description() })),
    options: command.options.map(({ long, description }) => ({ text: long ?? '', description })),
  }
  return [own, ...command.commands.flatMap((child) => wordsOf(child, `${path} `))]
}

/** In single quotes, for any of the three shells; fish alone gives a backslash a meaning there. */
export function quoted(text: string): string {
  return `'${text.replaceAll("'", '’').replaceAll('\\', '/')}'`
}
