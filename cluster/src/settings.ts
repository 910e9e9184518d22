/**
 * The settings of the parts of O3, a section each, without those of the front ends: a process that serves names or
 * bytes reads its own sections and loads nothing else. `node-config.ts` has all of them.
 */

import { choice, duration, integer, secret, section, size, text, texts } from '@o3/common/config'
import type { SectionValues } from '@o3/common/config'
import { logLevels } from '@o3/common/log'

export const dataSection = section('Where the bytes lie.', {
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
})

export const rootSection = section("The administrator's credentials; made at the first start when not given.", {
  accessKey: secret({
    description: 'Access key id, 3 to 128 letters, digits, or . _ -',
  }),
  secretKey: secret({ description: 'Secret key, at least 8 characters.' }),
})

export const adminSection = section('Health and metrics, without credentials: keep it on loopback.', {
  host: text({ description: 'The address it listens on.', default: '127.0.0.1' }),
  port: integer({
    description: 'Default: 9874, or any free one where that is taken.',
    minimum: 0,
    maximum: 65_535,
    flag: 'admin-port',
  }),
})

export const logSection = section('The structured log.', {
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
})

export const omSection = section('Names.', {
  cache: size({ description: 'Rows kept in memory.', default: '64MiB', minimum: '1MiB' }),
  deletionDelay: duration({
    description: 'How long the blocks of a deleted key stay, for downloads under way; then their space comes back.',
    default: '1m',
  }),
  segment: size({ description: 'Length of one file of the log, reserved ahead.', default: '64MiB', minimum: '1MiB' }),
  checkpoint: size({ description: 'Log written between two checkpoints.', default: '64MiB', minimum: '1MiB' }),
})

export const scmSection = section('Containers.', {
  containerSize: size({ description: 'A container is closed at this size.', default: '1GiB', minimum: '16MiB' }),
  encodeAfter: duration({
    description: 'A closed container of an erasure-coded bucket is encoded when nothing was deleted in it for so long.',
    default: '10m',
    minimum: '1s',
  }),
  keyRotation: duration({
    description:
      'How long a key of block tokens signs; it is believed for twice as long after that, so no upload may take longer.',
    default: '1d',
    minimum: '1h',
  }),
})

export const hddsSection = section('Blocks.', {
  scrub: duration({ description: 'Every byte is verified once in this time.', default: '7d', minimum: '1m' }),
  compactInterval: duration({ description: 'How often garbage is looked for.', default: '10s', minimum: '100ms' }),
})

export const stopSection = section('Ending.', {
  deadline: duration({ description: 'What has not drained by then is cut.', default: '10s', minimum: '1s' }),
})

export type DataSettings = SectionValues<typeof dataSection>
export type RootSettings = SectionValues<typeof rootSection>
export type AdminSettings = SectionValues<typeof adminSection>
export type LogSettings = SectionValues<typeof logSection>
export type OmSettings = SectionValues<typeof omSection>
export type ScmSettings = SectionValues<typeof scmSection>
export type HddsSettings = SectionValues<typeof hddsSection>
export type StopSettings = SectionValues<typeof stopSection>
