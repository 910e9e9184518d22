/**
 * Configuration: one schema, made of the sections that the packages declare, and one way to fill it. The order of
 * precedence is default, file, environment, flag. What nobody declared is refused with a suggestion, because a
 * misspelt limit that is silently ignored is found on the worst day.
 *
 * Reading files and the environment is the caller's (the command line's); everything here is a function of its inputs.
 */

export { choice, duration, integer, secret, size, text, texts, yesNo } from './setting.ts'
export type { RawSetting, Setting, SettingOptions, SettingTag } from './setting.ts'
export { defineConfig, fieldsOf, section } from './schema.ts'
export type {
  ConfigEntry,
  ConfigSchema,
  ConfigValues,
  Field,
  LoadedConfig,
  Origin,
  Section,
  SectionValues,
} from './schema.ts'
export { loadConfig } from './load.ts'
export type { ConfigSources } from './load.ts'
export { configReference, printConfig } from './report.ts'
export type { ConfigRow } from './report.ts'
export { closest } from './suggest.ts'
export { formatDuration, formatSize, parseDuration, parseSize } from './units.ts'
