import type { Address } from '@o3/common/env'
import type { Endpoint } from '../cluster-file/cluster-file.ts'

export function addressOf({ host, port }: Endpoint): Address {
  return { kind: 'tcp', host, port }
}

/** `host:port`; an IPv6 host stands in brackets. */
export function describeEndpoint({ host, port }: Endpoint): string {
  return `${host.includes(':') ? `[${host}]` : host}:${port}`
}
