import { expect, test } from 'vitest'
import type { ContainerReport, ContainerState } from '../src/api/api.ts'
import { untouched } from '../src/core/tables.ts'
import { planTransition } from '../src/core/container-planner.ts'

const limits = { containerBytes: 1000, garbageShare: 0.5, garbageFloorBytes: 100 }
const full = { state: 'OPEN', used: 1000, live: 1000, blocks: 9 } as const
const small = { state: 'OPEN', used: 999, live: 999, blocks: 9 } as const
const rotten = { state: 'UNHEALTHY', used: 10, live: 10, blocks: 1 } as const
const garbage = { state: 'OPEN', used: 200, live: 100, blocks: 1 } as const
const littleGarbage = { state: 'OPEN', used: 199, live: 100, blocks: 1 } as const
const closed = { state: 'CLOSED', used: 500, live: 10, blocks: 1 } as const
const empty = { state: 'CLOSED', used: 500, live: 0, blocks: 0 } as const

type Report = {
  readonly state: ContainerReport['state']
  readonly used: number
  readonly live: number
  readonly blocks: number
}
const deleting = { pendingDeletions: true }
const unheard = { fullyReported: false }

test.each<[ContainerState, readonly Report[], object, ContainerState | undefined]>([
  // state      reports           facts      next
  ['OPEN', [], {}, undefined],
  ['OPEN', [small], {}, undefined],
  ['OPEN', [full], {}, 'CLOSING'],
  ['OPEN', [rotten], {}, 'CLOSING'],
  ['OPEN', [garbage], {}, 'CLOSING'],
  ['OPEN', [littleGarbage], {}, undefined],
  ['CLOSING', [], {}, undefined],
  ['CLOSING', [full], {}, undefined],
  ['CLOSING', [closed], {}, 'CLOSED'],
  ['CLOSED', [closed], {}, undefined],
  ['CLOSED', [empty], {}, 'DELETING'],
  ['CLOSED', [empty], deleting, undefined],
  ['CLOSED', [], {}, undefined],
  ['DELETING', [empty], {}, undefined],
  ['DELETING', [], {}, 'DELETED'],
  ['DELETING', [], unheard, undefined],
])('%s with %j and %j becomes %s', (state, reports, facts, next) => {
  // oxfmt-ignore
  const planned = planTransition(
    {
      id: 1,
      row: { ...untouched, state, replication: 'RATIS/ONE', datanodes: ['dn'], origins: ['dn'], createdMs: 0, nextLocal: 1 },
      reports: reports.map((report) => ({
        id: 1,
        state: report.state,
        generation: 1,
        usedBytes: report.used,
        liveBytes: report.live,
        blockCount: report.blocks,
      })),
      pendingDeletions: false,
      fullyReported: true,
      ...facts,
    },
    limits,
  )
  expect(planned?.to).toBe(next)
})
