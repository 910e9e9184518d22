/** The shape of a configuration: sections of settings, and the names under which each can be set. */

import { assert } from '../errors.ts'
import type { Setting } from './setting.ts'

type Settings = Readonly<Record<string, Setting<unknown>>>

/** The settings of one package or plugin. */
export interface Section<S extends Settings = Settings> {
  readonly description: string
  readonly settings: S
}

/** The values of a section: what a component takes. */
export type SectionValues<C extends Section> = {
  readonly [K in keyof C['settings']]: C['settings'][K] extends Setting<infer T> ? T : never
}

export type ConfigSchema = Readonly<Record<string, Section>>

/** The values of a whole schema, by section. */
export type ConfigValues<S extends ConfigSchema> = { readonly [K in keyof S]: SectionValues<S[K]> }

/** Where a value came from. `name` is the file, the variable or the flag. */
export type Origin =
  | { readonly kind: 'default' }
  | { readonly kind: 'file' | 'environment' | 'flag'; readonly name: string }

export interface ConfigEntry {
  readonly field: Field
  readonly value: unknown
  readonly origin: Origin
}

export interface LoadedConfig<S extends ConfigSchema> {
  /** Frozen. */
  readonly values: ConfigValues<S>
  /** One for each setting, in the order of the schema. */
  readonly entries: readonly ConfigEntry[]
}

/** One setting in its place. */
export interface Field {
  readonly section: string
  readonly name: string
  /** `section.name`, as it is written in messages and with `--set`. */
  readonly key: string
  /** The derived name first, then the declared ones. */
  readonly env: readonly string[]
  readonly setting: Setting<unknown>
}

export function section<S extends Settings>(description: string, settings: S): Section<S> {
  return { description, settings }
}

/** Checks that no two settings share a variable or a flag. */
export function defineConfig<S extends ConfigSchema>(sections: S): S {
  const owners = new Map<string, string>()
  const claim = (name: string, key: string): void => {
    assert(!owners.has(name), `${name} stands for both ${owners.get(name)} and ${key}`)
    owners.set(name, key)
  }
  for (const field of fieldsOf(sections)) {
    for (const name of field.env) claim(name, field.key)
    if (field.setting.flag !== undefined) claim(`--${field.setting.flag}`, field.key)
  }
  return sections
}

/** Every setting of a schema, in order: from this the command line makes its flags. */
export function fieldsOf(schema: ConfigSchema): readonly Field[] {
  return Object.entries(schema).flatMap(([sectionName, { settings }]) =>
    Object.entries(settings).map(([name, declared]) => ({
      section: sectionName,
      name,
      key: `${sectionName}.${name}`,
      env: [`O3_${upperSnake(sectionName)}_${upperSnake(name)}`, ...declared.env],
      setting: declared,
    })),
  )
}

function upperSnake(name: string): string {
  return name
    .replaceAll(/([a-z0-9])([A-Z])/g, '$1_$2')
    .replaceAll('-', '_')
    .toUpperCase()
}
