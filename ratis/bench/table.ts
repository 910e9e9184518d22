/** The benchmark's tables: at most 80 columns, so that they can be read anywhere. */

export type Cell = string | number | undefined

/** Numbers are shortened to three or four figures; the first column is text. */
export function table(headings: readonly string[], rows: readonly (readonly Cell[])[]): string {
  const lines = rows.map((row) => row.map(textOf))
  const widths = headings.map((heading, at) =>
    Math.max(heading.length, ...lines.map((line) => (line[at] ?? '').length)),
  )
  const lineOf = (line: readonly string[]): string =>
    `| ${line.map((cell, at) => pad(cell, widths[at] ?? 0, at)).join(' | ')} |`
  const rule = `|${widths.map((width, at) => (at === 0 ? '-'.repeat(width + 2) : `${'-'.repeat(width + 1)}:`)).join('|')}|`
  return [lineOf(headings), rule, ...lines.map(lineOf), ''].join('\n')
}

function pad(cell: string, width: number, column: number): string {
  return column === 0 ? cell.padEnd(width) : cell.padStart(width)
}

function textOf(cell: Cell): string {
  if (cell === undefined) return ''
  if (typeof cell === 'string') return cell
  if (cell >= 100) return cell.toFixed(0)
  return cell >= 10 ? cell.toFixed(1) : cell.toFixed(2)
}
