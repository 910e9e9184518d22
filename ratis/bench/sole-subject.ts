/** The store's own group of one over a machine that keeps nothing. */

import { nodeEnv } from '@o3/common/env/node'
import { openSoleVoter } from '../src/store/sole-voter.ts'
import { CountingEnv } from './counting-env.ts'
import { SinkMachine } from './sink-machine.ts'
import { serveSubject } from './subject.ts'

interface Given {
  readonly directory: string
  readonly bytes: number
}

const start = {
  groupId: undefined,
  appliedIndex: 0,
  appliedTerm: 0,
  claimedIndex: 0,
  resetLog: false,
  configuration: undefined,
}

await serveSubject(async ({ directory, bytes }: Given) => {
  const counting = new CountingEnv(nodeEnv())
  const machine = new SinkMachine()
  const voter = await openSoleVoter(counting.env, { directory: `${directory}/log`, log: {} }, { machine, start })
  machine.attach(voter)
  const payload = new Uint8Array(bytes).fill(7)
  return { write: () => machine.propose(payload), counts: () => counting.counts, close: () => voter.close() }
})
