/** `role.status.1`: what a process says of itself to an administrator. */

import type { RpcClient, RpcHandler } from '@o3/common/rpc'
import { StoreError } from '@o3/common/errors'
import type { Role } from '../cluster-file/cluster-file.ts'

export const roleStatusMethod = 'role.status.1'

export interface RoleStatus {
  readonly role: Role
  readonly id: string
  readonly pid: number
  /** `host:port`. */
  readonly address: string
  /** Of a role that is a group: whether this member leads it. */
  readonly leader?: boolean
  readonly version: string
  /** What is wrong, in one sentence. */
  readonly problem?: string
}

export function statusHandler(status: () => RoleStatus): RpcHandler<unknown> {
  return () => ({ payload: Buffer.from(JSON.stringify(status())) })
}

/** What `RpcClient.call` rejects with; `Incompatible` for an answer that is no status. */
export async function askStatus(client: RpcClient, deadlineMs: number): Promise<RoleStatus> {
  const { payload } = await client.call(roleStatusMethod, new Uint8Array(0), { deadlineMs })
  const answer = JSON.parse(Buffer.from(payload).toString('utf8')) as Partial<RoleStatus>
  const { role, id, pid, address, version } = answer
  if (role === undefined || id === undefined || pid === undefined || address === undefined || version === undefined) {
    throw new StoreError('Incompatible', 'the answer is not the status of a process')
  }
  return { ...answer, role, id, pid, address, version }
}
