/** The segmented log alone, cut as it grows. */

import { nodeEnv } from '@o3/common/env/node'
import { openLog } from '@o3/ratis/log'
import { CountingEnv } from './counting-env.ts'
import { serveSubject } from './subject.ts'

interface Given {
  readonly directory: string
  readonly bytes: number
}

const cutBytes = 64 * 1024 * 1024

await serveSubject(async ({ directory, bytes }: Given) => {
  const counting = new CountingEnv(nodeEnv())
  const log = await openLog(counting.env, `${directory}/log`)
  const payload = new Uint8Array(bytes).fill(7)
  let cutting: Promise<void> | undefined
  return {
    write: () =>
      new Promise((resolve, reject) => {
        log.append([{ index: log.lastIndex + 1, term: 1, payload }], (error) =>
          error === undefined ? resolve() : reject(error),
        )
        if (cutting !== undefined || log.bytes < cutBytes) return
        cutting = log.truncateBefore(log.durableIndex + 1).finally(() => {
          cutting = undefined
        })
      }),
    counts: () => counting.counts,
    close: async () => {
      await cutting
      await log.close()
    },
  }
})
