import type { Model } from './model.ts'
import type { Interval } from './order-search.ts'
import type { FailedPrefix } from './shortest-prefix.ts'

const widthColumns = 80
const barColumns = 34
/** More would not be looked at; those that ended last are the ones that matter. */
const mostShown = 16
const mostInOrder = 12

/**
 * The end of a prefix that has no order, as text:
 *
 * ```
 * key "k": no order explains the answer of #4
 *
 *   1 a write 1 → ok                            ├───┤
 *   2 b write 2 → ok                              ├───────┤
 *   3 c read → {"value":2}                            ├─┤
 * > 4 d read → {"value":1}                                  ├───┤
 *   5 c read …                                                ├───▶
 *
 * without that answer: #1 #2 #3
 * which leaves 2
 * ```
 */
export function renderViolation<State extends NonNullable<unknown>, Input, Output>(
  model: Model<State, Input, Output>,
  violation: { readonly key: string; readonly found: FailedPrefix<State, Input, Output> },
): string {
  const { key, found } = violation
  const all = found.prefix.toSorted((a, b) => a.from - b.from)
  const numbers = new Map(all.map(({ operation }, at) => [operation, at + 1]))
  const shown = worthShowing(all, found.culprit)
  const column = columns(shown)
  const numberWidth = String(all.length).length
  const clientWidth = Math.min(8, Math.max(...shown.map(({ operation }) => operation.client.length)))
  const lines = shown.map((interval) => {
    const { operation, outcome } = interval
    const mark = interval === found.culprit ? '>' : ' '
    const number = String(numbers.get(operation) ?? 0).padStart(numberWidth)
    const what = `${mark} ${number} ${cut(operation.client, clientWidth).padEnd(clientWidth)} `
    const room = widthColumns - barColumns - what.length - 1
    return `${what}${cut(model.describe(operation.input, outcome), room).padEnd(room)} ${bar(interval, column)}`
  })
  const culprit = numbers.get(found.culprit.operation) ?? 0
  const unseen = all.length - shown.length
  return [
    cut(`key ${JSON.stringify(key)}: no order explains the answer of #${culprit}`, widthColumns),
    unseen === 0 ? '' : `  (${unseen} earlier operations are not shown)`,
    ...lines,
    '',
    ...orderBefore(model, found, numbers),
  ].join('\n')
}

function worthShowing<Input, Output>(
  all: readonly Interval<Input, Output>[],
  culprit: Interval<Input, Output>,
): readonly Interval<Input, Output>[] {
  const open = all.filter(({ to }) => to === Infinity).slice(-mostShown / 2)
  const ended = all
    .filter((interval) => interval.to !== Infinity && interval.operation !== culprit.operation)
    .toSorted((a, b) => b.to - a.to)
    .slice(0, mostShown - 1 - open.length)
  return [...open, ...ended, culprit].toSorted((a, b) => a.from - b.from)
}

/** Where a moment is drawn: the moments of what is shown, evenly. */
function columns<Input, Output>(shown: readonly Interval<Input, Output>[]): (moment: number) => number {
  const moments = [...new Set(shown.flatMap(({ from, to }) => (to === Infinity ? [from] : [from, to])))]
  moments.sort((a, b) => a - b)
  const places = new Map(moments.map((moment, at) => [moment, at]))
  // One more than there are moments, for the arrow of what is open.
  const scale = Math.min(2, (barColumns - 1) / moments.length)
  return (moment) => Math.floor((places.get(moment) ?? moments.length) * scale)
}

function bar<Input, Output>({ from, to }: Interval<Input, Output>, column: (moment: number) => number): string {
  const [start, end] = [column(from), column(to)]
  const line = '─'.repeat(Math.max(0, end - start - 1))
  if (to === Infinity) return `${' '.repeat(start)}├${line}▶`
  return `${' '.repeat(start)}${start === end ? '│' : `├${line}┤`}`
}

function orderBefore<State extends NonNullable<unknown>, Input, Output>(
  model: Model<State, Input, Output>,
  { before }: FailedPrefix<State, Input, Output>,
  numbers: ReadonlyMap<unknown, number>,
): readonly string[] {
  if (before === undefined) return ['without that answer: the search gave up']
  const order = before.order.map((operation) => `#${numbers.get(operation) ?? 0}`)
  const last = order.slice(-mostInOrder)
  return [
    cut(`without that answer: ${order.length > last.length ? '… ' : ''}${last.join(' ')}`, widthColumns),
    cut(`which leaves ${model.identity(before.state)}`, widthColumns),
  ]
}

function cut(text: string, columns: number): string {
  return text.length <= columns ? text : `${text.slice(0, columns - 1)}…`
}
