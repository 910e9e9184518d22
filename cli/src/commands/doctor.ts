/** `o3 doctor`: is this data directory whole? */

import { examine, nodeConfigSchema } from '@o3/cluster'
import type { Examination, Finding } from '@o3/cluster'
import { nodeEnv } from '@o3/common/env/node'
import type { Command } from 'commander'
import { exitCodes, readConfig } from '../command-line.ts'
import type { Environment } from '../command-line.ts'
import { bytesText } from '../output/quantities.ts'

export function addDoctor(program: Command, env: Environment): void {
  program
    .command('doctor')
    .description('check a data directory while no node runs on it; changes nothing')
    .option('--data <dir>', 'the data directory (O3_DATA, else ./o3-data)')
    .option('--disk <dir>', 'where its blocks are, if not in it (repeatable)', gather)
    .option('--config <file>', 'the settings of the node, for its disks')
    .option('--json', 'one JSON object per finding, then one of what was checked')
    .action(async (options: Readonly<Record<string, unknown>>) => {
      const { values } = readConfig(nodeConfigSchema, options, env)
      const examination = await examine(nodeEnv(), values.data)
      process.stdout.write(options['json'] === true ? asJson(examination) : asText(examination))
      if (examination.findings.some(({ kind }) => kind === 'problem')) process.exitCode = exitCodes.failed
    })
}

function asJson({ directory, findings, checked }: Examination): string {
  return [...findings, { kind: 'checked', directory, ...checked }].map((each) => `${JSON.stringify(each)}\n`).join('')
}

function asText({ directory, findings, checked }: Examination): string {
  const problems = findings.filter(({ kind }) => kind === 'problem').length
  const facts = Object.entries(checked).map(
    ([name, value]) => `  ${name}: ${name.endsWith('bytes') ? bytesText(value) : value}`,
  )
  const verdict = problems === 0 ? `${directory} is whole.` : `${directory} has ${problems} problems.`
  return `${[...findings.map(findingText), ...facts, verdict].join('\n')}\n`
}

function findingText({ kind, component, message, path, offset }: Finding): string {
  const where = path === undefined || message.includes(path) ? '' : ` ${path}`
  const at = offset === undefined || message.includes(`offset ${offset}`) ? '' : ` at offset ${offset}`
  return `${kind.padEnd(7)}  ${component}${where}${at}: ${message}`
}

function gather(value: string, before: readonly string[] = []): readonly string[] {
  return [...before, value]
}
