/** Where a running node is reached, for the commands of the same machine: `endpoints.json` in its data directory. */

import type { Env } from '@o3/common/env'
import { replaceFile } from './data-directory.ts'

export interface Endpoints {
  readonly s3: string
  /** `o3://host:port`. */
  readonly native: string
  readonly admin: string
}

export function endpointsPath(directory: string): string {
  return `${directory}/endpoints.json`
}

export function writeEndpoints(env: Env, directory: string, endpoints: Endpoints): Promise<void> {
  return replaceFile(env, endpointsPath(directory), `${JSON.stringify(endpoints, null, 2)}\n`)
}
