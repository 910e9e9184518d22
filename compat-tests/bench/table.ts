/** The benchmark's table. */

export interface Measured {
  readonly operation: string
  readonly sizeBytes: number
  readonly connections: number
  readonly requests: number
  readonly errors: number
  readonly perSecond: number
  readonly mbPerSecond: number
  readonly p50Ms: number
  readonly p99Ms: number
  readonly cpuUsPerRequest: number
  readonly rssMB: number
}

export interface Row extends Measured {
  readonly label: string
  /** Own rate by the floor's, of the same round; the better round. */
  readonly ratio: number | undefined
  readonly floorPerSecond: number | undefined
}

export interface Pair {
  readonly own: Measured
  readonly floor: Measured | undefined
}

/** The round with the better ratio, or, without a floor, with the better rate. */
export function row(
  given: { readonly operation: string; readonly size: number; readonly keys: number },
  pairs: readonly Pair[],
): Row {
  const ratioOf = ({ own, floor }: Pair): number | undefined =>
    floor === undefined ? undefined : own.perSecond / floor.perSecond
  const better = (a: Pair, b: Pair): Pair => ((ratioOf(b) ?? b.own.perSecond) > (ratioOf(a) ?? a.own.perSecond) ? b : a)
  const best = pairs.reduce(better)
  const what = given.operation === 'list' ? `of ${given.keys.toLocaleString('en')}` : sizeText(given.size)
  return {
    ...best.own,
    label: `${given.operation} ${what}`,
    ratio: ratioOf(best),
    floorPerSecond: best.floor?.perSecond,
    errors: pairs.reduce((sum, { own }) => sum + own.errors, 0),
  }
}

const headings = [
  'operation',
  'conn',
  'ops/s',
  'MB/s',
  'p50 ms',
  'p99 ms',
  'CPU µs/op',
  'RSS MB',
  'floor ops/s',
  'ratio',
]

export function table(rows: readonly Row[]): string {
  const cells = rows.map((each) => [
    each.label,
    String(each.connections),
    each.perSecond.toFixed(0),
    each.mbPerSecond.toFixed(0),
    each.p50Ms.toFixed(2),
    each.p99Ms.toFixed(2),
    each.cpuUsPerRequest.toFixed(0),
    each.rssMB.toFixed(0),
    each.floorPerSecond?.toFixed(0) ?? '',
    each.ratio?.toFixed(2) ?? '',
  ])
  const widths = headings.map((heading, at) =>
    Math.max(heading.length, ...cells.map((line) => (line[at] ?? '').length)),
  )
  const lineOf = (line: readonly string[]): string =>
    `| ${line.map((cell, at) => (at === 0 ? cell.padEnd(widths[at] ?? 0) : cell.padStart(widths[at] ?? 0))).join(' | ')} |`
  const rule = `|${widths.map((width, at) => (at === 0 ? '-'.repeat(width + 2) : `${'-'.repeat(width + 1)}:`)).join('|')}|`
  return [lineOf(headings), rule, ...cells.map(lineOf), ''].join('\n')
}

function sizeText(bytes: number): string {
  return bytes >= 1024 * 1024 ? `${bytes / 1024 / 1024} MiB` : `${bytes / 1024} KiB`
}

export type Fact = readonly [what: string, figure: string]

export function factTable(facts: readonly Fact[]): string {
  return ['| what | figure |', '|---|---:|', ...facts.map(([what, figure]) => `| ${what} | ${figure} |`), ''].join('\n')
}
