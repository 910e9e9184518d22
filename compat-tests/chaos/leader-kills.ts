/** The leader of a group is killed, again and again. */

import { setTimeout as sleep } from 'node:timers/promises'
import { leaderOf } from './processes.ts'
import type { Stage } from './scenario.ts'

export async function leaderKills(
  stage: Stage,
  { seconds, every, group }: { readonly seconds: number; readonly every: number; readonly group: string },
) {
  const { server, cluster, lost, say } = stage
  const beganMs = performance.now()
  // On the beat, however long it takes to find out who leads.
  for (let beat = 1; (beat + 1) * every <= seconds; beat++) {
    await sleep(Math.max(0, beganMs + beat * every * 1000 - performance.now()))
    const { id } = await leaderOf(server.directory, group)
    if (cluster.kill(id)) {
      lost()
      say(`killed ${id}`)
    }
  }
  await sleep(every * 1000)
}
