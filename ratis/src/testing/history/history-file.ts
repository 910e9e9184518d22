import type { Operation, Outcome, Place, Recorded } from './operation.ts'

const header = JSON.stringify({ history: 'o3', version: 1 })

/**
 * A history as JSON lines: a header, then one operation a line, so that `grep` and `diff` can work on it. What JSON cannot
 * say (`undefined`, bytes) does not survive.
 */
export function writeHistory<Input, Output>(history: Recorded<Input, Output>): string {
  return [header, ...history.operations.map((operation) => JSON.stringify(operation)), ''].join('\n')
}

/**
 * Reads what `writeHistory` wrote. The frame of each operation is verified and a line that is wrong named in the error;
 * inputs and outputs are taken to be what the caller's model calls them.
 */
export function readHistory<Input, Output>(text: string): Recorded<Input, Output> {
  const [first, ...lines] = text.split('\n')
  if (first !== header) throw new Error(`not a history: the first line is not ${header}`)
  const operations = lines.flatMap((line, at) => {
    if (line === '') return []
    const read: unknown = JSON.parse(line)
    if (!isOperation<Input, Output>(read)) throw new Error(`not a history: line ${at + 2} is not an operation`)
    return [read]
  })
  return { operations }
}

function isOperation<Input, Output>(read: unknown): read is Operation<Input, Output> {
  if (!isRecord(read)) return false
  const { client, key, call, outcome, place } = read
  return (
    typeof client === 'string' &&
    typeof key === 'string' &&
    Number.isFinite(call) &&
    'input' in read &&
    isOutcome(outcome) &&
    (place === undefined || isPlace(place))
  )
}

function isOutcome(read: unknown): read is Outcome<unknown> {
  if (!isRecord(read)) return false
  return read['kind'] === 'open' || (read['kind'] === 'answered' && Number.isFinite(read['at']) && 'output' in read)
}

function isPlace(read: unknown): read is Place {
  return isRecord(read) && (read['kind'] === 'at' || read['kind'] === 'after') && Number.isSafeInteger(read['index'])
}

function isRecord(read: unknown): read is Record<string, unknown> {
  return typeof read === 'object' && read !== null
}
