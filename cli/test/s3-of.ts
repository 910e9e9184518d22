import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { presign } from '../src/load/presign.ts'

export type AskS3 = (method: string, path: string, body?: Uint8Array<ArrayBuffer>) => Promise<Response>

/** Requests to the first gateway of a cluster, with the keys of its administrator. */
export async function s3Of(data: string): Promise<AskS3> {
  const endpoint = JSON.parse(await readFile(join(data, 'endpoints.json'), 'utf8')) as { readonly s3: string }
  const credentials = await readFile(join(data, 'credentials'), 'utf8')
  const [, accessKey = ''] = /access_key_id = (.*)/.exec(credentials) ?? []
  const [, secretKey = ''] = /secret_access_key = (.*)/.exec(credentials) ?? []
  const { host } = new URL(endpoint.s3)
  return (method, path, body) => {
    const signed = presign({ accessKey, secretKey, region: 'us-east-1' }, { method, host, path, nowMs: Date.now() })
    return fetch(`${endpoint.s3}${signed}`, { method, ...(body === undefined ? {} : { body }) })
  }
}
