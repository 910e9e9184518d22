/** The composition root: the only place that constructs services. */

export { readCredentials } from './administrator.ts'
export type { Credentials } from './administrator.ts'
export { banner } from './banner.ts'
export type { BannerFacts } from './banner.ts'
export { readEndpoints } from './endpoints.ts'
export type { Endpoints } from './endpoints.ts'
export { nodeConfigSchema } from './node-config.ts'
export type { NodeConfig } from './node-config.ts'
export { startNode } from './node.ts'
export type { RunningNode, StartOptions } from './node.ts'
