/** Dates as headers and documents carry them. All are in UTC and have no fractions of a second. */

import { civilOf, dayMs, instantOf } from './civil.ts'

/**
 * The three forms of RFC 9110 §5.6.7, also with `UTC`, `+0000` or `-0000` for `GMT`, as mail libraries write them.
 * Milliseconds since the epoch; undefined for anything else. The name of the day is not compared with the date.
 */
export function parseHttpDate(value: string): number | undefined {
  const imf =
    /^(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), (\d\d?) ([A-Z][a-z]{2}) (\d{4}) (\d\d):(\d\d):(\d\d) (?:GMT|UTC|[+-]0000)$/.exec(
      value,
    )
  if (imf !== null) return fields(imf[3], imf[2], imf[1], imf.slice(4))
  const rfc850 = /^[A-Z][a-z]+day, (\d\d)-([A-Z][a-z]{2})-(\d\d) (\d\d):(\d\d):(\d\d) GMT$/.exec(value)
  if (rfc850 !== null) return fields(fullYear(rfc850[3]), rfc850[2], rfc850[1], rfc850.slice(4))
  const asctime = /^[A-Z][a-z]{2} ([A-Z][a-z]{2}) ([ \d]\d) (\d\d):(\d\d):(\d\d) (\d{4})$/.exec(value)
  if (asctime !== null) return fields(asctime[6], asctime[1], asctime[2], asctime.slice(3, 6))
  return undefined
}

/** `20130524T000000Z`. On the path of every request, hence by index. */
export function parseBasicDate(value: string): number | undefined {
  if (value.length !== 16 || value.charCodeAt(8) !== 0x54 || value.charCodeAt(15) !== 0x5a) return undefined
  const date = digits(value, 0, 8)
  const time = digits(value, 9, 15)
  if (date < 0 || time < 0) return undefined
  return instantOf(
    { year: Math.floor(date / 10_000), month: Math.floor(date / 100) % 100, day: date % 100 },
    { hour: Math.floor(time / 10_000), minute: Math.floor(time / 100) % 100, second: time % 100 },
  )
}

/** IMF-fixdate, for `Last-Modified` and `Date`. */
export function formatHttpDate(ms: number): string {
  const days = Math.floor(ms / dayMs)
  const { year, month, day } = civilOf(days)
  const weekday = weekdays[(((days + 4) % 7) + 7) % 7]
  return `${weekday}, ${two(day)} ${months[month - 1]} ${four(year)} ${timeOf(ms)} GMT`
}

/** `2013-05-24T00:00:00.000Z`, cut to the second as S3 does, so that a listing and a header say the same. */
export function formatIsoDate(ms: number): string {
  const days = Math.floor(ms / dayMs)
  if (days !== lastDay) {
    const { year, month, day } = civilOf(days)
    lastDayText = `${four(year)}-${two(month)}-${two(day)}T`
    lastDay = days
  }
  return `${lastDayText}${timeOf(ms)}.000Z`
}

/** `20130524T000000Z`. */
export function formatBasicDate(ms: number): string {
  return formatIsoDate(ms).slice(0, 19).replaceAll('-', '').replaceAll(':', '') + 'Z'
}

// The rows of a listing are often of one day.
let lastDay = Number.NaN
let lastDayText = ''

const weekdays = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat']
const months = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']

function fields(
  year: string | undefined,
  month: string | undefined,
  day: string | undefined,
  [hour, minute, second]: readonly string[],
): number | undefined {
  return instantOf(
    { year: Number(year), month: months.indexOf(month ?? '') + 1, day: Number(day) },
    { hour: Number(hour), minute: Number(minute), second: Number(second) },
  )
}

/** POSIX's rule for two digits: RFC 9110's needs to know what year it is, and no object is older than 1970. */
function fullYear(twoDigits: string | undefined): string {
  return `${Number(twoDigits) < 70 ? '20' : '19'}${twoDigits ?? ''}`
}

/** −1 when one of them is not a digit. */
function digits(text: string, from: number, to: number): number {
  let value = 0
  for (let i = from; i < to; i++) {
    const digit = text.charCodeAt(i) - 0x30
    if (digit < 0 || digit > 9) return -1
    value = value * 10 + digit
  }
  return value
}

function timeOf(ms: number): string {
  const seconds = Math.floor((ms - Math.floor(ms / dayMs) * dayMs) / 1000)
  return `${two(Math.floor(seconds / 3600))}:${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}`
}

function two(value: number): string {
  return value < 10 ? `0${value}` : String(value)
}

function four(value: number): string {
  return String(value).padStart(4, '0')
}
