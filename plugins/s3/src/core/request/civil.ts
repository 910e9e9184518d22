/** The calendar, by arithmetic: days since 1970-01-01 in the proleptic Gregorian calendar, from 0000 to 9999. */

export interface CivilDate {
  readonly year: number
  /** 1–12. */
  readonly month: number
  /** 1–31. */
  readonly day: number
}

export const dayMs = 86_400_000

/** Years run from March, so that the leap day is the last of its year and months fall into a line. */
export function daysOf({ year, month, day }: CivilDate): number {
  const marchYear = month > 2 ? year : year - 1
  const era = Math.floor(marchYear / 400)
  const yearOfEra = marchYear - era * 400
  const dayOfYear = Math.floor((153 * (month > 2 ? month - 3 : month + 9) + 2) / 5) + day - 1
  return era * 146_097 + yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) + dayOfYear - 719_468
}

export function civilOf(days: number): CivilDate {
  const shifted = days + 719_468
  const era = Math.floor(shifted / 146_097)
  const dayOfEra = shifted - era * 146_097
  const yearOfEra = Math.floor(
    (dayOfEra - Math.floor(dayOfEra / 1460) + Math.floor(dayOfEra / 36_524) - Math.floor(dayOfEra / 146_096)) / 365,
  )
  const dayOfYear = dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100))
  const monthFromMarch = Math.floor((5 * dayOfYear + 2) / 153)
  const month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9
  return {
    year: yearOfEra + era * 400 + (month > 2 ? 0 : 1),
    month,
    day: dayOfYear - Math.floor((153 * monthFromMarch + 2) / 5) + 1,
  }
}

export interface TimeOfDay {
  readonly hour: number
  readonly minute: number
  readonly second: number
}

/** Milliseconds since the epoch; undefined when there is no such date or time. A leap second is the second before it. */
export function instantOf(date: CivilDate, { hour, minute, second }: TimeOfDay): number | undefined {
  if (hour > 23 || minute > 59 || second > 60) return undefined
  if (date.month < 1 || date.month > 12 || date.day < 1 || date.day > daysIn(date)) return undefined
  return daysOf(date) * dayMs + hour * 3_600_000 + minute * 60_000 + Math.min(second, 59) * 1000
}

function daysIn({ year, month }: CivilDate): number {
  if (month !== 2) return month === 4 || month === 6 || month === 9 || month === 11 ? 30 : 31
  return year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0) ? 29 : 28
}
