import type { Env } from '@o3/common/env'
import { nodeEnv } from '@o3/common/env/node'
import { SimDisk } from '@o3/common/env/sim'
import { MemoryKv } from '@o3/common/kv/memory'
import { storeContract } from '@o3/protocol-bus/testing'
import { openComposedStore } from './composed-store.ts'
import { DistantOm, foreseeing } from './distant-om.ts'

/** Real time and real threads, and a disk in memory: what is compared here is what it answers. */
function freshEnv(): Env {
  return { ...nodeEnv(), disk: new SimDisk() }
}

storeContract('the real store', () => {
  const env = freshEnv()
  return openComposedStore({ env, openKv: () => Promise.resolve(new MemoryKv()) })
})

storeContract('the real store whose OM is another process', async () => {
  const env = freshEnv()
  const opened = await openComposedStore({
    env,
    openKv: () => Promise.resolve(new MemoryKv()),
    away: (om) => new DistantOm(om, env.random),
  })
  return { ...opened, store: foreseeing(opened) }
})
