/** Four real datanodes: what needs no person, and would without a rule of its own. */

import { expect, test } from 'vitest'
import { dataPlanOf } from './data-plan.ts'
import { nobodyWroteThere } from './data-scenes.ts'
import { runDataSeed } from './run-data-seed.ts'

test(
  'a container that nobody wrote to is closed by two of its three members, though one of them was away',
  {
    timeout: 240_000,
  },
  async () => {
    const plan = dataPlanOf(1)
    const workload = { ...plan.workload, clients: 0, replications: ['RATIS/THREE'] as const }
    const idle = { ...plan, omMembers: 1, scmMembers: 1, datanodes: 4, perMinute: {}, workload } as const
    const { violation } = await runDataSeed(1, { plan: idle, scene: nobodyWroteThere })
    expect(violation).toBeUndefined()
  },
)
