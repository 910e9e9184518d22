/** One member of the benchmark's group of three, in a process of its own: `member.ts ID DIRECTORY FIRST_PORT`. */

import { nodeEnv } from '@o3/common/env/node'
import { nullLogger } from '@o3/common/logger'
import { RpcServer, trustedClient, trustedServer } from '@o3/common/rpc'
import { noConfiguration, openRaftNode, raftMethods, RpcTransport, type RaftNode } from '@o3/ratis/node'
import { SinkMachine } from './sink-machine.ts'

export const memberIds = ['a', 'b', 'c'] as const

export interface BenchMember {
  readonly raft: RaftNode
  readonly machine: SinkMachine
  close(): Promise<void>
}

export async function openMember(options: {
  readonly id: string
  readonly directory: string
  readonly firstPort: number
}): Promise<BenchMember> {
  const { id, directory, firstPort } = options
  const env = nodeEnv()
  const portOf = (member: string): number => firstPort + memberIds.findIndex((each) => each === member)
  const addresses = Object.fromEntries(memberIds.map((each) => [each, `127.0.0.1:${portOf(each)}`]))
  const transport = new RpcTransport({ env, address: addresses[id] ?? '', authentication: trustedClient })
  const server = new RpcServer<undefined>({
    ...env,
    log: nullLogger,
    authentication: trustedServer,
    methods: raftMethods<undefined>(transport, () => true),
  })
  await server.listen({ kind: 'tcp', host: '127.0.0.1', port: portOf(id) })
  const machine = new SinkMachine()
  const raft = await openRaftNode({
    env,
    id,
    group: 'bench',
    directory,
    transport,
    recover: (log) => machine.recover(log),
    bootstrap: { ...noConfiguration, voters: memberIds, addresses },
    // The first is the one whose clients are measured.
    raft: { priority: id === memberIds[0] ? 1 : 0 },
  })
  machine.attach(raft)
  return {
    raft,
    machine,
    close: async () => {
      await raft.close()
      await transport.close()
      await server.close(0)
    },
  }
}

if (process.argv[1] === import.meta.filename) {
  const [id = '', directory = '', port = ''] = process.argv.slice(2)
  const member = await openMember({ id, directory, firstPort: Number(port) })
  process.once('disconnect', () => void member.close())
  process.send?.('open')
}
