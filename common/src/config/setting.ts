/**
 * The kinds of setting. A kind turns what a person wrote, in a file, the environment or a flag, into a value, or says
 * what is wrong with it; nothing is guessed or rounded.
 */

import { Secret } from '../log/secret.ts'
import { assert } from '../errors.ts'
import { formatDuration, formatSize, parseDuration, parseSize } from './units.ts'

/**
 * `soft` may change with a restart. `hard` is written into the data directory and cannot change under existing data.
 * `secret` is never shown.
 */
export type SettingTag = 'soft' | 'hard' | 'secret'

/** What was written: text from the environment or a flag, plain data from a file. */
export type RawSetting = string | number | boolean | readonly (string | number | boolean)[]

/** A value that cannot be used; the text completes the sentence "<key>: …". */
export class BadSetting extends Error {}

export interface Setting<T> {
  readonly description: string
  readonly tag: SettingTag
  /** What may be written, for the reference: `integer, 0 to 65535`. */
  readonly form: string
  /** Undefined when there is none. */
  readonly initial: T
  /** Names of environment variables besides `O3_SECTION_KEY`. */
  readonly env: readonly string[]
  /** The name of a command-line flag, without dashes. */
  readonly flag: string | undefined
  /** True when the flag may be repeated and the environment variable is a comma-separated list. */
  readonly many: boolean
  /** Throws `BadSetting`. */
  read(raw: RawSetting): T
  /** As a person would write it, exactly. */
  show(value: T): string
}

export interface SettingOptions {
  readonly description: string
  readonly tag?: 'soft' | 'hard'
  readonly env?: readonly string[]
  readonly flag?: string
}

interface Kind<T> {
  readonly form: string
  readonly read: (raw: RawSetting) => T
  readonly show: (value: T) => string
}

export function text(options: SettingOptions & { readonly default: string; readonly pattern?: RegExp }): Setting<string>
export function text(options: SettingOptions & { readonly pattern?: RegExp }): Setting<string | undefined>
export function text(
  options: SettingOptions & { readonly default?: string; readonly pattern?: RegExp },
): Setting<string | undefined> {
  return setting(options, textKind(options.pattern), options.default)
}

/** A password or key. It is a `Secret` in the configuration, so that it cannot be printed by accident. */
export function secret(options: Omit<SettingOptions, 'tag'>): Setting<Secret | undefined> {
  const { read } = textKind(undefined)
  const kind: Kind<Secret> = { form: 'text, secret', read: (raw) => new Secret(read(raw)), show: String }
  return { ...setting(options, kind, undefined), tag: 'secret' }
}

export interface Range {
  readonly minimum?: number
  readonly maximum?: number
}

export function integer(options: SettingOptions & Range & { readonly default: number }): Setting<number>
export function integer(options: SettingOptions & Range): Setting<number | undefined>
export function integer(options: SettingOptions & Range & { readonly default?: number }): Setting<number | undefined> {
  const kind: Kind<number> = {
    form: `integer${showRange(options, String)}`,
    read: (raw) => inRange(parseInteger(raw), options, String),
    show: String,
  }
  return setting(options, kind, options.default)
}

/** Bytes, written `64MiB` or as a plain number; `default`, `minimum` and `maximum` are written the same way. */
export function size(
  options: SettingOptions & { readonly default: string; readonly minimum?: string; readonly maximum?: string },
): Setting<number> {
  return measured(options, { form: 'size', parse: parseSize, format: formatSize, example: '64MiB' })
}

/** Milliseconds, written `15m`; `default`, `minimum` and `maximum` are written the same way. */
export function duration(
  options: SettingOptions & { readonly default: string; readonly minimum?: string; readonly maximum?: string },
): Setting<number> {
  return measured(options, {
    form: 'duration',
    parse: parseDuration,
    format: formatDuration,
    example: '250ms, 30s or 1h30m',
  })
}

export function yesNo(options: SettingOptions & { readonly default: boolean }): Setting<boolean> {
  const kind: Kind<boolean> = {
    form: 'true or false',
    read: (raw) => {
      if (raw === true || raw === 'true') return true
      if (raw === false || raw === 'false') return false
      throw new BadSetting(`${quote(raw)} is neither true nor false`)
    },
    show: String,
  }
  return setting(options, kind, options.default)
}

export function choice<const C extends string>(
  options: SettingOptions & { readonly of: readonly C[]; readonly default: NoInfer<C> },
): Setting<C> {
  const kind: Kind<C> = {
    form: options.of.join(' | '),
    read: (raw) => {
      const chosen = options.of.find((candidate) => candidate === raw)
      if (chosen === undefined) throw new BadSetting(`${quote(raw)} is none of ${options.of.join(', ')}`)
      return chosen
    },
    show: String,
  }
  return setting(options, kind, options.default)
}

/** Several texts: a list in a file, a repeated flag, commas in an environment variable. */
export function texts(
  options: SettingOptions & { readonly default: readonly string[]; readonly pattern?: RegExp },
): Setting<readonly string[]> {
  const { read, form } = textKind(options.pattern)
  const kind: Kind<readonly string[]> = {
    form: `list of ${form}`,
    read: (raw) => {
      if (typeof raw === 'string') return raw.split(',').map((item) => read(item.trim()))
      if (typeof raw === 'object') return raw.map(read)
      throw new BadSetting(`${quote(raw)} is not a list`)
    },
    show: (values) => values.join(','),
  }
  return { ...setting(options, kind, options.default), many: true }
}

function setting<T, I extends T | undefined>(options: SettingOptions, kind: Kind<T>, initial: I): Setting<T | I> {
  const { description, tag = 'soft', env = [], flag } = options
  return {
    description,
    tag,
    form: kind.form,
    initial,
    env,
    flag,
    many: false,
    read: kind.read,
    show: (value) => (value === undefined ? '' : kind.show(value)),
  }
}

interface Measure {
  readonly form: string
  readonly parse: (text: string) => number | undefined
  readonly format: (value: number) => string
  readonly example: string
}

function measured(
  options: SettingOptions & { readonly default: string; readonly minimum?: string; readonly maximum?: string },
  measure: Measure,
): Setting<number> {
  const { parse, format, form, example } = measure
  const constant = (written: string): number => {
    const value = parse(written)
    assert(value !== undefined, `the declaration of a setting says ${written}, which is not a ${form}`)
    return value
  }
  const range: Range = {
    ...(options.minimum === undefined ? {} : { minimum: constant(options.minimum) }),
    ...(options.maximum === undefined ? {} : { maximum: constant(options.maximum) }),
  }
  const read = (raw: RawSetting): number => {
    const value = typeof raw === 'string' || typeof raw === 'number' ? parse(String(raw)) : undefined
    if (value === undefined) throw new BadSetting(`${quote(raw)} is not a ${form}; write for example ${example}`)
    return inRange(value, range, format)
  }
  return setting(options, { form: form + showRange(range, format), read, show: format }, constant(options.default))
}

function textKind(pattern: RegExp | undefined): Kind<string> {
  return {
    form: pattern === undefined ? 'text' : `text like \`${pattern.source}\``,
    read: (raw) => {
      // A file may say `name: 0123` or `name: no`: YAML has already lost what was written.
      if (typeof raw !== 'string') throw new BadSetting(`${quote(raw)} is not text; put it in quotes`)
      if (pattern !== undefined && !pattern.test(raw))
        throw new BadSetting(`${quote(raw)} is not like ${pattern.source}`)
      return raw
    },
    show: String,
  }
}

function parseInteger(raw: RawSetting): number {
  const value = typeof raw === 'string' && /^-?\d+$/.test(raw) ? Number(raw) : raw
  if (typeof value === 'number' && Number.isSafeInteger(value)) return value
  throw new BadSetting(`${quote(raw)} is not a whole number`)
}

function inRange(value: number, { minimum, maximum }: Range, show: (value: number) => string): number {
  if (minimum !== undefined && value < minimum) throw new BadSetting(`${show(value)} is below ${show(minimum)}`)
  if (maximum !== undefined && value > maximum) throw new BadSetting(`${show(value)} is above ${show(maximum)}`)
  return value
}

function showRange({ minimum, maximum }: Range, show: (value: number) => string): string {
  if (minimum !== undefined && maximum !== undefined) return `, ${show(minimum)} to ${show(maximum)}`
  if (minimum !== undefined) return `, at least ${show(minimum)}`
  return maximum === undefined ? '' : `, at most ${show(maximum)}`
}

function quote(raw: RawSetting): string {
  return JSON.stringify(raw)
}
