/** Sizes and durations as people write them. Both parsers are strict: undefined for anything else. */

const sizeUnits: Readonly<Record<string, number>> = {
  '': 1,
  B: 1,
  // As in rclone and mc, a lone letter is binary.
  K: 2 ** 10,
  M: 2 ** 20,
  G: 2 ** 30,
  T: 2 ** 40,
  KiB: 2 ** 10,
  MiB: 2 ** 20,
  GiB: 2 ** 30,
  TiB: 2 ** 40,
  PiB: 2 ** 50,
  kB: 1e3,
  KB: 1e3,
  MB: 1e6,
  GB: 1e9,
  TB: 1e12,
  PB: 1e15,
}

/** `64MiB`, `1.5GiB`, `10MB` (decimal), `512` (bytes): a whole number of bytes below 2^53. */
export function parseSize(text: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?) ?([A-Za-z]*)$/.exec(text)
  const unit = sizeUnits[match?.[2] ?? '?']
  if (match === null || unit === undefined) return undefined
  const bytes = Number(match[1]) * unit
  return Number.isSafeInteger(bytes) ? bytes : undefined
}

const binaryUnits = ['PiB', 'TiB', 'GiB', 'MiB', 'KiB'] as const

/** Exact: the largest binary unit that divides it, else bytes. `parseSize` reads it back. */
export function formatSize(bytes: number): string {
  const unit = binaryUnits.find((name) => bytes > 0 && bytes % (sizeUnits[name] as number) === 0)
  return unit === undefined ? `${bytes}B` : `${bytes / (sizeUnits[unit] as number)}${unit}`
}

const durationUnits = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['m', 60_000],
  ['s', 1000],
  ['ms', 1],
] as const

/** `15m`, `1h30m`, `250ms`: milliseconds. A number without a unit says nothing and is refused. */
export function parseDuration(text: string): number | undefined {
  const match = /^(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?(?:(\d+)ms)?$/.exec(text)
  if (match === null || text === '') return undefined
  const ms = durationUnits.reduce((sum, [, size], i) => sum + Number(match[i + 1] ?? 0) * size, 0)
  return Number.isSafeInteger(ms) ? ms : undefined
}

/** Exact; `parseDuration` reads it back. */
export function formatDuration(ms: number): string {
  let rest = ms
  let out = ''
  for (const [unit, size] of durationUnits) {
    const count = Math.floor(rest / size)
    if (count > 0) out += `${count}${unit}`
    rest -= count * size
  }
  return out === '' ? '0s' : out
}
