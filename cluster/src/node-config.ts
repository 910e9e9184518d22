/** Every setting of a node, in one schema: the command line makes its flags from it and the reference page its table. */

import { defineConfig } from '@o3/common/config'
import type { ConfigValues } from '@o3/common/config'
import { nativeSection } from '@o3/plugin-native'
import { s3Section } from '@o3/plugin-s3'
import { hostSection, storeSection } from '@o3/protocol-bus/module'
import {
  adminSection,
  dataSection,
  hddsSection,
  logSection,
  omSection,
  rootSection,
  scmSection,
  stopSection,
} from './settings.ts'

export const nodeConfigSchema = defineConfig({
  data: dataSection,
  root: rootSection,
  s3: s3Section,
  native: nativeSection,
  admin: adminSection,
  store: storeSection,
  host: hostSection,
  log: logSection,
  om: omSection,
  scm: scmSection,
  hdds: hddsSection,
  stop: stopSection,
})

export type NodeConfig = ConfigValues<typeof nodeConfigSchema>
