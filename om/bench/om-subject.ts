/**
 * One member of an OM group of three, in a process of its own, under the benchmark of `ratis/bench`: the real rules over the
 * real store, LevelDB under it. One write is one commit of a new key with one leased block, with a request id, as the S3
 * plugin makes it.
 */

import { mkdir, rm } from 'node:fs/promises'
import { nodeEnv } from '@o3/common/env/node'
import { openLevelKv } from '@o3/common/kv/level'
import { openReplicatedStore, raftMember } from '@o3/ratis/store'
import { CountingEnv } from '../../ratis/bench/counting-env.ts'
import { openMemberParts, type MemberGiven } from '../../ratis/bench/member-parts.ts'
import { serveSubject } from '../../ratis/bench/subject.ts'
import { Committer } from './committer.ts'
import { omRules } from '../src/core/rules.ts'

const cacheBytes = 64 * 1024 * 1024

await serveSubject(async (given: MemberGiven) => {
  const counting = new CountingEnv(nodeEnv())
  const { directory, id, preferred } = given
  const parts = await openMemberParts(counting, given)
  await mkdir(`${directory}/kv`, { recursive: true })
  const store = await openReplicatedStore({
    env: counting.env,
    directory,
    rules: omRules,
    kv: {
      open: (name) => openLevelKv(`${directory}/kv/${name}`, { cacheBytes: cacheBytes / 2 }),
      remove: (name) => rm(`${directory}/kv/${name}`, { recursive: true, force: true }),
    },
    cacheBytes,
    consensus: raftMember({ ...parts.node, directory: `${directory}/log` }),
  })
  const committer = new Committer(store, (delayMs) => counting.env.clock.sleep(delayMs))
  if (id === preferred) await committer.prepare()
  return {
    write: () => committer.commit(),
    counts: () => counting.counts,
    close: async () => {
      await store.close()
      await parts.close()
    },
  }
})
