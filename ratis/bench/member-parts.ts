/** One member of a benchmark's group, in a process of its own: where it listens and how it talks. */

import { nullLogger } from '@o3/common/logger'
import { RpcServer, trustedClient, trustedServer } from '@o3/common/rpc'
import type { CountingEnv } from './counting-env.ts'
import { noConfiguration, raftMethods, RpcTransport, type RaftNodeOptions } from '@o3/ratis/node'

export interface MemberGiven {
  readonly id: string
  /** All first members. */
  readonly voters: readonly string[]
  /** Who should lead; without it, anybody. */
  readonly preferred?: string
  readonly directory: string
  readonly firstPort: number
}

export interface MemberParts {
  readonly node: Omit<RaftNodeOptions, 'recover' | 'directory'>
  /** To be called after the member is closed. */
  readonly close: () => Promise<void>
}

export async function openMemberParts(counting: CountingEnv, given: MemberGiven): Promise<MemberParts> {
  const { id, voters, firstPort } = given
  const { env } = counting
  const portOf = (member: string): number => firstPort + voters.indexOf(member)
  const addresses = Object.fromEntries(voters.map((each) => [each, `127.0.0.1:${portOf(each)}`]))
  const transport = new RpcTransport({ env, address: addresses[id] ?? '', authentication: trustedClient })
  const server = new RpcServer<undefined>({
    ...env,
    log: nullLogger,
    authentication: trustedServer,
    methods: raftMethods<undefined>(transport, () => true),
  })
  await server.listen({ kind: 'tcp', host: '127.0.0.1', port: portOf(id) })
  return {
    node: {
      env,
      id,
      group: 'bench',
      transport: counting.countingTransport(transport),
      bootstrap: { ...noConfiguration, voters, addresses },
      raft: { priority: id === given.preferred ? 2 : 1 },
    },
    close: async () => {
      await transport.close()
      await server.close(0)
    },
  }
}
