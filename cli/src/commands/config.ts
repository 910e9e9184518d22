/** `o3 config print`: every setting, its value and where it came from. */

import { nodeConfigSchema } from '@o3/cluster'
import { printConfig } from '@o3/common/config'
import type { Command } from 'commander'
import { addSettingFlags, readConfig } from '../command-line.ts'

export function addConfig(program: Command, env: Readonly<Record<string, string | undefined>>): void {
  const print = program
    .command('config')
    .description('the settings of a node')
    .command('print')
    .description('every setting, its value and where it came from')
    .option('--json', 'one JSON object per line')
    .action((options: Readonly<Record<string, unknown>>) => {
      const rows = printConfig(readConfig(nodeConfigSchema, options, env))
      const width = Math.max(...rows.map(({ key }) => key.length))
      for (const row of rows) {
        const text = `${row.key.padEnd(width)}  ${row.value === '' ? '-' : row.value}  (${row.origin})`
        process.stdout.write(`${options['json'] === true ? JSON.stringify(row) : text}\n`)
      }
    })
  addSettingFlags(print, nodeConfigSchema)
}
