/** What every command of `o3` shares: how settings become flags, how an answer is printed, how a failure ends. */

import { readFileSync } from 'node:fs'
import { fieldsOf, loadConfig } from '@o3/common/config'
import type { ConfigSchema, LoadedConfig, RawSetting } from '@o3/common/config'
import { StoreError } from '@o3/common/errors'
import type { ErrorCategory } from '@o3/common/errors'
import type { Command } from 'commander'

/** Of the process, as `main` hands it to each command. */
export type Environment = Readonly<Record<string, string | undefined>>

export const exitCodes = {
  failed: 1,
  /** A wrong command line, or a wrong value in it. */
  usage: 2,
  notFound: 3,
  denied: 4,
  /** Some of several things were done. */
  partial: 5,
  /** As a shell counts it: 128 and the number of SIGINT. */
  interrupted: 130,
} as const

const exitByCategory: Readonly<Record<ErrorCategory, number>> = {
  invalid: exitCodes.usage,
  denied: exitCodes.denied,
  'not-found': exitCodes.notFound,
  conflict: exitCodes.failed,
  limit: exitCodes.failed,
  unavailable: exitCodes.failed,
  'unknown-outcome': exitCodes.failed,
  damaged: exitCodes.failed,
  unsupported: exitCodes.usage,
  internal: exitCodes.failed,
}

export function exitCodeOf(error: unknown): number {
  return error instanceof StoreError ? exitByCategory[error.category] : exitCodes.failed
}

/** Every setting that has a flag (of `only` these), as an option of `command`; all others by `--set section.key=value`. */
export function addSettingFlags(command: Command, schema: ConfigSchema, only?: readonly string[]): Command {
  command.option('--config <file>', 'settings in YAML or JSON (or O3_CONFIG)')
  for (const { setting, key } of fieldsOf(schema)) {
    if (setting.flag === undefined || only?.includes(setting.flag) === false) continue
    const description = `${setting.description} [${key}]`
    if (setting.many) command.option(`--${setting.flag} <value>`, `${description} (repeatable)`, gather)
    else command.option(`--${setting.flag} <value>`, description)
  }
  return command.option('--set <section.key=value>', 'any other setting; see `o3 config print`', gather)
}

function gather(value: string, before: readonly string[] = []): readonly string[] {
  return [...before, value]
}

/** Reads the file that is named and fills the schema from it, the environment and the flags. */
export function readConfig<S extends ConfigSchema>(
  schema: S,
  options: Readonly<Record<string, unknown>>,
  env: Environment,
): LoadedConfig<S> {
  const fileName = textOf(options['config']) ?? env['O3_CONFIG']
  const file = fileName === undefined ? {} : { file: { name: fileName, text: readSettingsFile(fileName) } }
  return loadConfig(schema, { ...file, env, flags: flagsOf(schema, options), foreignEnv })
}

/** Variables that begin like ours and are not settings of a node. */
const foreignEnv = ['O3_CONFIG', 'O3_ADDRESS', 'O3_ACCESS_KEY', 'O3_SECRET_KEY', 'O3_CRASH_AT']

function readSettingsFile(name: string): string {
  try {
    return readFileSync(name, 'utf8')
  } catch (error) {
    throw new StoreError('InvalidArgument', `the configuration file ${name} cannot be read`, { cause: error })
  }
}

function flagsOf(schema: ConfigSchema, options: Readonly<Record<string, unknown>>): Record<string, RawSetting> {
  const flags: Record<string, RawSetting> = {}
  for (const { setting } of fieldsOf(schema)) {
    if (setting.flag === undefined) continue
    const given = options[camelCase(setting.flag)]
    if (given !== undefined) flags[setting.flag] = given as RawSetting
  }
  for (const pair of (options['set'] as readonly string[] | undefined) ?? []) {
    const at = pair.indexOf('=')
    if (at < 1) throw new StoreError('InvalidArgument', `--set ${pair}: write section.key=value`)
    flags[pair.slice(0, at)] = pair.slice(at + 1)
  }
  return flags
}

function camelCase(flag: string): string {
  return flag.replaceAll(/-([a-z])/g, (_, letter: string) => letter.toUpperCase())
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined
}
