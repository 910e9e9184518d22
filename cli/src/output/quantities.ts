/** Numbers and times as people read them. */

const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'] as const

/** Three digits or so: `512 B`, `1.5 MiB`. */
export function bytesText(bytes: number): string {
  let value = bytes
  let unit = 0
  // 1023.95 would be printed as 1024.0.
  while (value >= 1023.95 && unit < units.length - 1) {
    value /= 1024
    unit++
  }
  const digits = unit === 0 || value >= 99.95 ? 0 : 1
  return `${value.toFixed(digits)} ${units[unit]}`
}

/** `2026-01-01T12:00:05Z`; to the second, in UTC, so that two machines print the same. */
export function timeText(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19)}Z`
}

/** `4 s`, `3 min 05 s`, `2 h 10 min`. */
export function secondsText(seconds: number): string {
  const whole = Math.round(seconds)
  if (whole < 60) return `${whole} s`
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${String(whole % 60).padStart(2, '0')} s`
  return `${Math.floor(whole / 3600)} h ${String(Math.floor((whole % 3600) / 60)).padStart(2, '0')} min`
}

/** An estimate: `40 s`, `4 min`, `2 h 10 min`. */
export function aboutText(seconds: number): string {
  const minutes = Math.round(seconds / 60)
  return seconds < 60 || minutes >= 60 ? secondsText(seconds) : `${minutes} min`
}

/** `1 copy`, `1,204 containers`. */
export function counted(count: number, one: string, many = `${one}s`): string {
  return `${count.toLocaleString('en')} ${count === 1 ? one : many}`
}

/** `-` where nothing was set. */
export function orDash(text: string): string {
  return text === '' ? '-' : text
}
