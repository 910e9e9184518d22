/** What a command says: records, as tables for people or as JSON lines for programs, and sentences. */

import Table from 'cli-table3'
import type { Environment } from '../command-line.ts'

/** A column of a table. What must stay whole, as a name, comes last: it may be as long as it is. */
export interface Column<T> {
  readonly title: string
  readonly of: (record: T) => string
  readonly align?: 'left' | 'right'
}

export interface OutputOptions {
  readonly json: boolean
  readonly quiet: boolean
  readonly env: Environment
}

const none = ''
const noBorders = {
  top: none,
  'top-mid': none,
  'top-left': none,
  'top-right': none,
  bottom: none,
  'bottom-mid': none,
  'bottom-left': none,
  'bottom-right': none,
  left: none,
  'left-mid': none,
  mid: none,
  'mid-mid': none,
  right: none,
  'right-mid': none,
  middle: '  ',
}

export class Output {
  readonly json: boolean
  readonly quiet: boolean
  private readonly env: Environment

  constructor({ json, quiet, env }: OutputOptions) {
    this.json = json
    this.quiet = quiet
    this.env = env
  }

  /** One line each. Without any, people get a sentence on standard error, so that a pipe gets nothing. */
  list<T extends object>(records: readonly T[], columns: readonly Column<T>[], empty = 'none'): void {
    if (this.json) {
      for (const record of records) this.line(JSON.stringify(record))
      return
    }
    if (records.length === 0) return this.remark(empty)
    const table = new Table({
      head: columns.map(({ title }) => title),
      colAligns: columns.map(({ align }) => align ?? 'left'),
      chars: noBorders,
      style: { head: this.isColoured ? ['bold'] : [], border: [], 'padding-left': 0, 'padding-right': 0 },
    })
    for (const record of records) table.push(columns.map(({ of }) => of(record)))
    for (const line of table.toString().split('\n')) this.line(line.trimEnd())
  }

  /** One record: JSON, or a line for each of its facts. */
  record(record: object, facts: readonly (readonly [string, string])[]): void {
    if (this.json) return this.line(JSON.stringify(record))
    const width = Math.max(...facts.map(([name]) => name.length))
    for (const [name, value] of facts) this.line(`${name.padEnd(width)}  ${value}`)
  }

  /** What was done: the record for programs, a sentence for people. */
  done(record: object, sentence: string): void {
    if (this.json) this.line(JSON.stringify(record))
    else if (!this.quiet) this.line(sentence)
  }

  /** Beside the answer, on standard error. */
  remark(sentence: string): void {
    if (!this.quiet) process.stderr.write(`${sentence}\n`)
  }

  private line(text: string): void {
    process.stdout.write(`${text}\n`)
  }

  private get isColoured(): boolean {
    return process.stdout.isTTY === true && (this.env['NO_COLOR'] ?? '') === ''
  }
}
