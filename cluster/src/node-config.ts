/** Every setting of a node, in one schema: the command line makes its flags from it and the reference page its table. */

import { choice, defineConfig, duration, integer, secret, section, size, text, texts } from '@o3/common/config'
import type { ConfigValues } from '@o3/common/config'
import { logLevels } from '@o3/common/log'
import { nativeSection } from '@o3/plugin-native'
import { s3Section } from '@o3/plugin-s3'
import { hostSection, storeSection } from '@o3/protocol-bus/module'

const port = { minimum: 0, maximum: 65_535 } as const

export const nodeConfigSchema = defineConfig({
  data: section('Where the bytes lie.', {
    directory: text({
      description: 'The data directory: identity, logs, names, keys, and the disk where none is named.',
      default: './o3-data',
      env: ['O3_DATA'],
      flag: 'data',
    }),
    disks: texts({
      description: 'Directories for blocks, one per physical disk. Default: `disk` in the data directory.',
      default: [],
      flag: 'disk',
    }),
    reserve: size({
      description: 'Kept free on each disk: below it writes are refused, reads and deletes go on.',
      default: '256MiB',
      minimum: '16MiB',
    }),
  }),
  root: section("The administrator's credentials; made at the first start when not given.", {
    accessKey: secret({
      description: 'Access key id, 3 to 128 letters, digits, or . _ -',
    }),
    secretKey: secret({ description: 'Secret key, at least 8 characters.' }),
  }),
  s3: s3Section,
  native: nativeSection,
  admin: section('Health and metrics, without credentials: keep it on loopback.', {
    host: text({ description: 'The address it listens on.', default: '127.0.0.1' }),
    port: integer({ description: 'Default: 9874, or any free one where that is taken.', ...port, flag: 'admin-port' }),
  }),
  store: storeSection,
  host: hostSection,
  log: section('The structured log.', {
    level: choice({
      description: 'The least important lines that are written.',
      of: logLevels,
      default: 'info',
      flag: 'log-level',
    }),
    format: choice({
      description: 'For machines or for a person.',
      of: ['json', 'pretty'],
      default: 'json',
      flag: 'log-format',
    }),
    file: text({ description: 'Default: `o3.log` in the data directory; `-` is standard error.', flag: 'log-file' }),
  }),
  om: section('Names.', {
    cache: size({ description: 'Rows kept in memory.', default: '64MiB', minimum: '1MiB' }),
    deletionDelay: duration({
      description: 'How long the blocks of a deleted key stay, for downloads under way; then their space comes back.',
      default: '1m',
    }),
    segment: size({ description: 'Length of one file of the log, reserved ahead.', default: '64MiB', minimum: '1MiB' }),
    checkpoint: size({ description: 'Log written between two checkpoints.', default: '64MiB', minimum: '1MiB' }),
  }),
  scm: section('Containers.', {
    containerSize: size({ description: 'A container is closed at this size.', default: '1GiB', minimum: '16MiB' }),
  }),
  hdds: section('Blocks.', {
    scrub: duration({ description: 'Every byte is verified once in this time.', default: '7d', minimum: '1m' }),
    compactInterval: duration({ description: 'How often garbage is looked for.', default: '10s', minimum: '100ms' }),
  }),
  stop: section('Ending.', {
    deadline: duration({ description: 'What has not drained by then is cut.', default: '10s', minimum: '1s' }),
  }),
})

export type NodeConfig = ConfigValues<typeof nodeConfigSchema>
