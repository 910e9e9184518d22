/** A member of a group over a machine that keeps nothing: what is left is the cost of the group. */

import { nodeEnv } from '@o3/common/env/node'
import { openRaftNode } from '@o3/ratis/node'
import { CountingEnv } from './counting-env.ts'
import { openMemberParts, type MemberGiven } from './member-parts.ts'
import { SinkMachine } from './sink-machine.ts'
import { serveSubject } from './subject.ts'

await serveSubject(async (given: MemberGiven & { readonly bytes: number }) => {
  const counting = new CountingEnv(nodeEnv())
  const parts = await openMemberParts(counting, given)
  const machine = new SinkMachine()
  const raft = await openRaftNode({
    ...parts.node,
    directory: `${given.directory}/log`,
    recover: (log) => machine.recover(log),
  })
  machine.attach(raft)
  if (given.id === given.preferred) await machine.leads()
  const payload = new Uint8Array(given.bytes).fill(7)
  return {
    write: () => machine.propose(payload),
    counts: () => counting.counts,
    close: async () => {
      await raft.close()
      await parts.close()
    },
  }
})
