import type { Address } from '@o3/common/env'
import { StoreError } from '@o3/common/errors'

/** `host:port`, the form in which datanodes register; an IPv6 host is in brackets. */
export function addressText({ host, port }: { readonly host: string; readonly port: number }): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}

/** The inverse. `Incompatible` for what no datanode of ours registers. */
export function parseAddress(text: string): Address {
  const found = /^(?:\[([0-9A-Fa-f:.%]+)\]|([^:[\]]+)):(\d{1,5})$/.exec(text)
  const host = found?.[1] ?? found?.[2]
  const port = Number(found?.[3])
  if (host !== undefined && port > 0 && port < 65_536) return { kind: 'tcp', host, port }
  throw new StoreError('Incompatible', `${text} is no address of a datanode`)
}
