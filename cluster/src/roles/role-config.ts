/** What an administrator may say to the processes of a cluster that are no front ends. */

import { defineConfig, section } from '@o3/common/config'
import type { ConfigValues } from '@o3/common/config'
import { dataSection, hddsSection, logSection, omSection, scmSection, stopSection } from '../settings.ts'

export const omConfigSchema = defineConfig({ om: omSection, log: logSection, stop: stopSection })
export const scmConfigSchema = defineConfig({ scm: scmSection, log: logSection, stop: stopSection })
export const datanodeConfigSchema = defineConfig({
  // Its directory and its disks are not settings: the one is named by who starts it, the others by the cluster file.
  data: section(dataSection.description, { reserve: dataSection.settings.reserve }),
  hdds: hddsSection,
  log: logSection,
  stop: stopSection,
})

export type OmRoleConfig = ConfigValues<typeof omConfigSchema>
export type ScmRoleConfig = ConfigValues<typeof scmConfigSchema>
export type DatanodeRoleConfig = ConfigValues<typeof datanodeConfigSchema>
