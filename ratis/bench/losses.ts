/** How long a group is without a leader: the leader is killed, and a survivor commits again. Default timeouts. */

import { nodeEnv } from '@o3/common/env/node'
import type { SubjectProcess } from './subject-process.ts'

export interface LossOptions {
  readonly losses: number
  /** Of three; the first one is `start`ed again and again under its own id and directory. */
  readonly start: (id: string) => Promise<SubjectProcess>
  readonly ids: readonly string[]
}

/** From the kill to the first commit of another leader, in milliseconds, shortest first. */
export async function measureLosses({ losses, start, ids }: LossOptions): Promise<readonly number[]> {
  const members = new Map<string, SubjectProcess>()
  for (const each of await Promise.all(ids.map(async (id) => [id, await start(id)] as const))) members.set(...each)
  const times: number[] = []
  let writes = 0
  const firstToWrite = async (): Promise<string> => {
    const asked = [...members].map(async ([id, member]) => {
      await member.write(++writes)
      return id
    })
    return Promise.any(asked)
  }
  try {
    let leader = await firstToWrite()
    for (let loss = 0; loss < losses; loss++) {
      const member = members.get(leader)
      if (member === undefined) throw new Error(`${leader} is no member`)
      members.delete(leader)
      const killedMs = performance.now()
      const gone = member.kill()
      const next = await firstToWrite()
      times.push(performance.now() - killedMs)
      await gone
      members.set(leader, await start(leader))
      leader = next
      // One member is lost at a time: the one that came back has to be found and brought up to date first.
      await nodeEnv().clock.sleep(1000)
    }
  } finally {
    await Promise.all([...members.values()].map((member) => member.stop()))
  }
  return times.sort((a, b) => a - b)
}
