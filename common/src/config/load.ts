import { createRequire } from 'node:module'
import { StoreError } from '../errors.ts'
import { fieldsOf } from './schema.ts'
import type { ConfigEntry, ConfigSchema, ConfigValues, Field, LoadedConfig, Origin, Section } from './schema.ts'
import { BadSetting } from './setting.ts'
import type { RawSetting } from './setting.ts'
import { closest } from './suggest.ts'

/** A seventh of what a process loads is the parser of YAML, and few have a file to parse. */
const require = createRequire(import.meta.url)

export interface ConfigSources {
  /** YAML, of which JSON is a part. */
  readonly file?: { readonly name: string; readonly text: string }
  /** An empty variable counts as not set. */
  readonly env?: Readonly<Record<string, string | undefined>>
  /** By the declared name (`port`) or by key (`s3.port`). Undefined counts as not given. */
  readonly flags?: Readonly<Record<string, RawSetting | undefined>>
  /** Variables that begin with `O3_` and belong to somebody else. */
  readonly foreignEnv?: readonly string[]
}

const maxFileChars = 1024 * 1024

interface Found {
  readonly raw: RawSetting
  readonly origin: Origin
}

/**
 * Fills a schema. All that is wrong is reported at once, in one `InvalidArgument` whose message has a line for each
 * problem, with the key and where it was written.
 */
export function loadConfig<S extends ConfigSchema>(schema: S, sources: ConfigSources): LoadedConfig<S> {
  const problems: string[] = []
  const fields = fieldsOf(schema)
  // In order of precedence: a later map wins.
  const layers = [
    fromFile(schema, sources.file, problems),
    fromEnvironment(fields, sources, problems),
    fromFlags(fields, sources.flags ?? {}, problems),
  ]
  const entries = fields.map((field) => resolve(field, layers, problems))
  if (problems.length > 0) throw new StoreError('InvalidArgument', problems.join('\n'))
  return { values: nest<S>(entries), entries }
}

function resolve(field: Field, layers: readonly ReadonlyMap<string, Found>[], problems: string[]): ConfigEntry {
  const found = layers.map((layer) => layer.get(field.key)).findLast((candidate) => candidate !== undefined)
  if (found === undefined) return { field, value: field.setting.initial, origin: { kind: 'default' } }
  const { raw, origin } = found
  try {
    return { field, value: field.setting.read(raw), origin }
  } catch (error) {
    if (!(error instanceof BadSetting)) throw error
    const reason = field.setting.tag === 'secret' ? 'the value cannot be used' : error.message
    problems.push(`${field.key}: ${reason} (${showOrigin(origin)})`)
    return { field, value: undefined, origin }
  }
}

export function showOrigin(origin: Origin): string {
  if (origin.kind === 'default') return 'default'
  return origin.kind === 'flag' ? `flag --${origin.name}` : `${origin.kind} ${origin.name}`
}

function fromFile(schema: ConfigSchema, file: ConfigSources['file'], problems: string[]): ReadonlyMap<string, Found> {
  const found = new Map<string, Found>()
  if (file === undefined) return found
  for (const [name, inside] of Object.entries(parseFile(file, problems))) {
    const declared = Object.hasOwn(schema, name) ? schema[name] : undefined
    if (declared === undefined) problems.push(unknown(`section ${name}`, name, Object.keys(schema), file.name))
    else if (isMapping(inside)) readSection({ name, declared, inside, fileName: file.name }, found, problems)
    else if (inside !== null) problems.push(`${name}: is a section, with settings inside (file ${file.name})`)
  }
  return found
}

interface WrittenSection {
  readonly name: string
  readonly declared: Section
  readonly inside: Readonly<Record<string, unknown>>
  readonly fileName: string
}

function readSection(written: WrittenSection, found: Map<string, Found>, problems: string[]): void {
  const { name, declared, inside, fileName } = written
  const origin: Origin = { kind: 'file', name: fileName }
  for (const [settingName, raw] of Object.entries(inside)) {
    const key = `${name}.${settingName}`
    if (!Object.hasOwn(declared.settings, settingName)) {
      const candidates = Object.keys(declared.settings).map((known) => `${name}.${known}`)
      problems.push(unknown(`setting ${key}`, key, candidates, fileName))
    } else if (isRaw(raw)) found.set(key, { raw, origin })
    else if (raw !== null) problems.push(`${key}: is not a value (file ${fileName})`)
  }
}

function parseFile(file: NonNullable<ConfigSources['file']>, problems: string[]): Readonly<Record<string, unknown>> {
  if (file.text.length > maxFileChars) {
    problems.push(`${file.name}: larger than ${maxFileChars} characters`)
    return {}
  }
  const content = parseYaml(file, problems)
  if (content === null) return {} // nothing, or only comments
  if (isMapping(content)) return content
  problems.push(`${file.name}: has no sections`)
  return {}
}

function parseYaml(file: NonNullable<ConfigSources['file']>, problems: string[]): unknown {
  try {
    const { parse } = require('yaml') as typeof import('yaml')
    return parse(file.text) as unknown
  } catch (error) {
    // The first line has the place; the rest draws it.
    const [reason] = (error instanceof Error ? error.message : String(error)).split('\n')
    problems.push(`${file.name}: ${reason}`)
    return null
  }
}

function fromEnvironment(
  fields: readonly Field[],
  { env = {}, foreignEnv = [] }: ConfigSources,
  problems: string[],
): ReadonlyMap<string, Found> {
  const owners = new Map(fields.flatMap((field) => field.env.map((name) => [name, field] as const)))
  const found = new Map<string, Found>()
  for (const [name, raw] of Object.entries(env)) {
    if (!name.startsWith('O3_') || foreignEnv.includes(name) || raw === undefined || raw === '') continue
    const field = owners.get(name)
    if (field === undefined) {
      problems.push(unknown(`setting ${name}`, name, owners.keys(), 'the environment'))
      continue
    }
    const other = found.get(field.key)
    if (other !== undefined && other.raw !== raw) {
      problems.push(`${field.key}: ${showOrigin(other.origin)} and ${name} differ`)
    }
    found.set(field.key, { raw, origin: { kind: 'environment', name } })
  }
  return found
}

function fromFlags(
  fields: readonly Field[],
  flags: Readonly<Record<string, RawSetting | undefined>>,
  problems: string[],
): ReadonlyMap<string, Found> {
  const owners = new Map(fields.map((field) => [field.key, field]))
  for (const field of fields) if (field.setting.flag !== undefined) owners.set(field.setting.flag, field)
  const found = new Map<string, Found>()
  for (const [name, raw] of Object.entries(flags)) {
    if (raw === undefined) continue
    const field = owners.get(name)
    if (field === undefined) problems.push(unknown(`setting ${name}`, name, owners.keys(), 'the flags'))
    else found.set(field.key, { raw, origin: { kind: 'flag', name } })
  }
  return found
}

function unknown(what: string, name: string, candidates: Iterable<string>, where: string): string {
  const meant = closest(name, candidates)
  const hint = meant === undefined ? '' : `; did you mean ${meant}?`
  return `there is no ${what} (in ${where})${hint}`
}

function nest<S extends ConfigSchema>(entries: readonly ConfigEntry[]): ConfigValues<S> {
  const values: Record<string, Record<string, unknown>> = {}
  for (const { field, value } of entries) {
    const inside = (values[field.section] ??= {})
    inside[field.name] = value
  }
  for (const inside of Object.values(values)) Object.freeze(inside)
  return Object.freeze(values) as ConfigValues<S>
}

function isMapping(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function isRaw(value: unknown): value is RawSetting {
  if (Array.isArray(value)) return value.every((item) => isRaw(item) && typeof item !== 'object')
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean'
}
