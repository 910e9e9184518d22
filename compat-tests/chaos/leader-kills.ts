/** The OM leader is killed, again and again. */

import { setTimeout as sleep } from 'node:timers/promises'
import { leaderOf } from '../cluster/processes.ts'
import type { Stage } from './scenario.ts'

export async function leaderKills(
  stage: Stage,
  { seconds, every }: { readonly seconds: number; readonly every: number },
) {
  const { server, cluster, lost, say } = stage
  const endMs = performance.now() + seconds * 1000
  for (;;) {
    const nextMs = performance.now() + every * 1000
    if (nextMs > endMs) break
    await sleep(every * 1000)
    const { id } = await leaderOf(server.directory, 'om')
    if (cluster.kill(id)) {
      lost()
      say(`killed ${id}`)
    }
  }
  await sleep(every * 1000)
}
