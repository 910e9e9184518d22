import type { Address } from '@o3/common/env'
import { StoreError } from '@o3/common/errors'

/** `host:port`, `[v6]:port` or `unix:path`, as members of a configuration write it. Throws `InvalidArgument`. */
export function parsePeerAddress(text: string): Address {
  if (text.startsWith('unix:')) return { kind: 'unix', path: text.slice('unix:'.length) }
  const found = /^(?:\[(?<v6>[^\]]+)\]|(?<host>[^:]+)):(?<port>\d{1,5})$/.exec(text)?.groups
  const host = found?.['v6'] ?? found?.['host']
  const port = Number(found?.['port'])
  if (host === undefined || port > 65_535) {
    throw new StoreError('InvalidArgument', `a member listens at host:port, not at ${JSON.stringify(text)}`)
  }
  return { kind: 'tcp', host, port }
}
