import { fieldsOf } from './schema.ts'
import type { ConfigSchema, Field, LoadedConfig } from './schema.ts'
import { showOrigin } from './load.ts'
import type { SettingTag } from './setting.ts'

export interface ConfigRow {
  readonly key: string
  /** `[secret]` for a secret that is set. */
  readonly value: string
  readonly origin: string
  readonly tag: SettingTag
}

/** What `o3 config print` shows: every setting with its value and where it came from. */
export function printConfig<S extends ConfigSchema>(config: LoadedConfig<S>): readonly ConfigRow[] {
  return config.entries.map(({ field, value, origin }) => ({
    key: field.key,
    value: value === undefined ? '' : field.setting.show(value),
    origin: showOrigin(origin),
    tag: field.setting.tag,
  }))
}

/** The page `docs/reference/configuration.md`. */
export function configReference(schema: ConfigSchema): string {
  const fields = fieldsOf(schema)
  const sections = Object.entries(schema).map(([name, { description }]) => {
    const rows = fields.filter((field) => field.section === name).map(referenceRow)
    return [`## ${name}`, '', description, '', ...header, ...rows].join('\n')
  })
  return `${[introduction, ...sections].join('\n\n')}\n`
}

const introduction = `# Configuration

Every setting has a default. A file (YAML or JSON, a mapping of sections) overrides it, the environment overrides the
file, a flag overrides the environment. An unknown setting is refused. \`o3 config print\` shows each value and its origin.

A size is written \`64MiB\`, \`1.5GiB\`, \`10MB\` (decimal) or as a number of bytes; a duration \`250ms\`, \`30s\`, \`1h30m\`.
**hard** settings are recorded in the data directory and cannot change under existing data; **secret** ones are never shown.`

const header = ['| setting | form | default | environment, flag | |', '|---|---|---|---|---|']

function referenceRow({ key, env, setting }: Field): string {
  const names = [...env, ...(setting.flag === undefined ? [] : [`--${setting.flag}`])].map(code).join(' ')
  const initial = setting.initial === undefined ? '' : code(setting.show(setting.initial))
  const tag = setting.tag === 'soft' ? '' : `**${setting.tag}** `
  return `| ${code(key)} | ${cell(setting.form)} | ${initial} | ${names} | ${tag}${cell(setting.description)} |`
}

function code(text: string): string {
  return text === '' ? '' : `\`${cell(text)}\``
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|')
}
