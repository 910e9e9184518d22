/** What an administrator may say to a gateway. Apart from the others, because it loads the front ends. */

import { defineConfig, section } from '@o3/common/config'
import type { ConfigValues } from '@o3/common/config'
import { s3Section } from '@o3/plugin-s3'
import { hostSection, storeSection } from '@o3/protocol-bus/module'
import { logSection, rootSection, stopSection } from '../settings.ts'

// Where a gateway listens is in the cluster file.
const { host: _host, port: _port, ...s3Settings } = s3Section.settings

export const gatewayConfigSchema = defineConfig({
  root: rootSection,
  s3: section(s3Section.description, s3Settings),
  store: storeSection,
  host: hostSection,
  log: logSection,
  stop: stopSection,
})

export type GatewayRoleConfig = ConfigValues<typeof gatewayConfigSchema>
