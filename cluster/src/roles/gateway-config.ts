/** What an administrator may say to a gateway. Apart from the others, because it loads the front ends. */

import { defineConfig } from '@o3/common/config'
import type { ConfigValues } from '@o3/common/config'
import { nativeSection } from '@o3/plugin-native'
import { s3Section } from '@o3/plugin-s3'
import { hostSection, storeSection } from '@o3/protocol-bus/module'
import { adminSection, logSection, rootSection, stopSection } from '../settings.ts'

export const gatewayConfigSchema = defineConfig({
  root: rootSection,
  s3: s3Section,
  native: nativeSection,
  admin: adminSection,
  store: storeSection,
  host: hostSection,
  log: logSection,
  stop: stopSection,
})

export type GatewayRoleConfig = ConfigValues<typeof gatewayConfigSchema>
