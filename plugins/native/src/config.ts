/** What an administrator may say about the native front end. */

import { integer, loadConfig, section, text } from '@o3/common/config'
import type { SectionValues } from '@o3/common/config'

/** For the schema of the system that the plugin is part of. */
export const nativeSection = section('The native protocol, which `o3 sh` speaks.', {
  host: text({
    description: 'The address it listens on. Between hosts it belongs behind TLS: the protocol does not encrypt.',
    default: '127.0.0.1',
  }),
  port: integer({
    description: 'Default: 9862, or any free one where that is taken.',
    minimum: 0,
    maximum: 65_535,
    flag: 'native-port',
  }),
})

export type NativeConfig = SectionValues<typeof nativeSection>

export const defaultNativePort = 9862

/** Fills in the defaults; `InvalidArgument` names each setting that is unknown or wrong. */
export function parseConfig(raw: Readonly<Record<string, unknown>>): NativeConfig {
  // JSON is YAML, and the one reader of configuration reads that.
  const file = { name: 'of the plugin', text: JSON.stringify({ native: raw }) }
  return loadConfig({ native: nativeSection }, { file }).values.native
}
