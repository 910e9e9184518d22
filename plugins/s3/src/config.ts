/** What an administrator may say about the S3 front end. */

import { integer, loadConfig, section, size, text, texts } from '@o3/common/config'
import type { SectionValues } from '@o3/common/config'

/** For the schema of the system that the plugin is part of. */
export const s3Section = section('The S3 front end.', {
  host: text({ description: 'The address it listens on.', default: '127.0.0.1', flag: 'host', env: ['O3_HOST'] }),
  port: integer({ description: '0 for any free one.', minimum: 0, maximum: 65_535, default: 9878, flag: 'port' }),
  region: text({
    description: 'The region that signatures are made for, and that buckets say they are in.',
    default: 'us-east-1',
    pattern: /^[a-z0-9-]{1,63}$/,
    flag: 'region',
  }),
  domains: texts({
    description:
      'Domains whose sub-domains are buckets, in lower case: with `s3.example.org`, `photos.s3.example.org` is the bucket `photos`.',
    default: [],
    pattern: /^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$/,
    flag: 'domain',
  }),
  volume: text({ description: 'The volume in which the buckets of S3 live.', default: 's3v' }),
  minPartBytes: size({
    description: 'Every part of an upload but the last has at least this size. 5 MiB in Amazon S3.',
    default: '5MiB',
    minimum: '0',
    maximum: '5GiB',
  }),
})

export type S3Config = SectionValues<typeof s3Section>

/** Fills in the defaults; `InvalidArgument` names each setting that is unknown or wrong. */
export function parseConfig(raw: Readonly<Record<string, unknown>>): S3Config {
  // JSON is YAML, and the one reader of configuration reads that.
  const file = { name: 'of the plugin', text: JSON.stringify({ s3: raw }) }
  return loadConfig({ s3: s3Section }, { file }).values.s3
}
