/** The floor of one log, as a subject. */

import { nodeEnv } from '@o3/common/env/node'
import { CountingEnv } from './counting-env.ts'
import { FloorLog, InOrder } from './floor.ts'
import { serveSubject } from './subject.ts'

interface Given {
  readonly directory: string
  readonly bytes: number
}

await serveSubject(async ({ directory, bytes }: Given) => {
  const counting = new CountingEnv(nodeEnv())
  const writers = new InOrder()
  const floor = await FloorLog.open(counting.env, {
    path: `${directory}/floor`,
    onDurable: (count) => writers.upTo(count),
  })
  const payload = new Uint8Array(bytes).fill(7)
  return {
    write: () => {
      floor.append(payload)
      return writers.wait()
    },
    counts: () => counting.counts,
    close: () => floor.close(),
  }
})
