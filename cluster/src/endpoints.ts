/** Where a running node is reached, for the commands of the same machine: `endpoints.json` in its data directory. */

import type { Env } from '@o3/common/env'
import { StoreError } from '@o3/common/errors'
import { readSmallFile, replaceFile } from './data-directory.ts'

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

/** Of the last start: nobody need be there any more. Undefined when no node has run on the directory. */
export async function readEndpoints(env: Env, directory: string): Promise<Endpoints | undefined> {
  const path = endpointsPath(directory)
  const text = await readSmallFile(env, path)
  if (text === undefined) return undefined
  const match = /"native": *"(o3:[^"]+)"/.exec(text)
  if (match === null) throw new StoreError('Damaged', `${path} names no native endpoint; a start writes it anew`)
  return JSON.parse(text) as Endpoints
}
