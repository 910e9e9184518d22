/** One log line for a person's terminal: `12:34:56.789 INFO  message  key=value …`. */

const own = new Set(['level', 'time', 'message'])

/** Takes a line of JSON as the logger writes it; a line that is something else comes back as it is. */
export function prettyLine(line: string): string {
  const record = parse(line)
  if (record === undefined) return line
  const time = typeof record['time'] === 'number' ? new Date(record['time']).toISOString().slice(11, 23) : ''
  const level = String(record['level'] ?? '')
    .toUpperCase()
    .padEnd(5)
  const fields = Object.entries(record).filter(([key]) => !own.has(key))
  const tail = fields.map(([key, value]) => `  ${key}=${show(value)}`).join('')
  return `${time} ${level} ${String(record['message'] ?? '')}${tail}\n`
}

function parse(line: string): Readonly<Record<string, unknown>> | undefined {
  if (!line.startsWith('{')) return undefined
  try {
    return JSON.parse(line) as Record<string, unknown>
  } catch {
    return undefined // not ours: shown as it came
  }
}

function show(value: unknown): string {
  if (typeof value === 'string') return /^[\w./:@-]+$/.test(value) ? value : JSON.stringify(value)
  if (isErrorRecord(value)) return `${JSON.stringify(value.message)}\n${value.stack.replace(/^/gm, '    ')}`
  return JSON.stringify(value)
}

function isErrorRecord(value: unknown): value is { readonly message: string; readonly stack: string } {
  return typeof value === 'object' && value !== null && 'stack' in value && typeof value.stack === 'string'
}
