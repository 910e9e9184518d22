/** The composition root: the only place that constructs services. */

export { banner } from './banner.ts'
export type { BannerFacts } from './banner.ts'
export { examine } from './doctor/doctor.ts'
export type { Examination, Finding } from './doctor/doctor.ts'
export { nodeConfigSchema } from './node-config.ts'
export type { NodeConfig } from './node-config.ts'
export { startNode } from './node.ts'
export type { RunningNode, StartOptions } from './node.ts'
