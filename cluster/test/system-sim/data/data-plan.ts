import { SimRandom } from '@o3/common/env/sim'
import type { ReplicationConfig } from '@o3/scm/api'

/** What the nemesis of the data path does of itself, with its usual rate per minute while it is on. */
const usualPerMinute = {
  kill: 6,
  crash: 6,
  'power-cut': 1.5,
  pause: 4,
  absence: 3,
  partial: 5,
  isolate: 4,
  'rack-cut': 3,
  'slow-disk': 5,
  'full-disk': 3,
  'sync-failure': 3,
  'clock-step': 3,
  flip: 4,
  wipe: 3,
  decommission: 1.5,
  'scm-kill': 2,
  'scm-transfer': 3,
  'disk-loss': 4,
  'disk-away': 4,
} as const

/** Those that came later have dice of their own: so the plans of old seeds are what they were, but for these. */
const later: readonly DataFault[] = ['disk-loss', 'disk-away']

export type DataFault = keyof typeof usualPerMinute
export const dataFaults = Object.keys(usualPerMinute) as readonly DataFault[]

/** What a seed decides of a run with real datanodes, before it begins. */
export interface DataPlan {
  readonly shape: 'datanodes'
  readonly seed: number
  readonly omMembers: 1 | 3
  readonly scmMembers: 1 | 3
  readonly datanodes: number
  readonly racks: number
  readonly disksEach: 1 | 2
  readonly calmMs: number
  readonly safetyMs: number
  readonly containerBytes: number
  readonly network: { readonly minLatencyMs: number; readonly maxLatencyMs: number }
  /** Of each kind of fault, for the whole cluster; absent: none. */
  readonly perMinute: Readonly<Partial<Record<DataFault, number>>>
  readonly workload: {
    readonly clients: number
    readonly keysEach: number
    readonly thinkMs: number
    /** Bytes of a streamed key at most. */
    readonly largestBytes: number
    readonly replications: readonly ReplicationConfig[]
  }
}

const erasure: ReplicationConfig = 'EC/rs-3-2-1024k'

/** The same seed gives the same plan. */
export function dataPlanOf(seed: number): DataPlan {
  const random = new SimRandom(`data-plan/${seed}`)
  const pick = <T>(...choices: readonly [T, ...T[]]): T => choices[random.below(choices.length)] ?? choices[0]
  const share = pick(0.2, 0.4, 0.7, 0.9)
  const temper = pick(0.5, 1, 1, 2)
  const perMinute: Partial<Record<DataFault, number>> = {}
  for (const kind of dataFaults) {
    const dice = later.includes(kind) ? new SimRandom(`data-plan/${seed}/${kind}`) : random
    if (!dice.chance(share)) continue
    perMinute[kind] = Math.round(usualPerMinute[kind] * temper * (0.5 + dice.fraction()) * 10) / 10
  }
  const datanodes = pick(4, 5, 6, 6)
  // One shard to a datanode, and one datanode may be away.
  const encodes = datanodes > 5
  return {
    shape: 'datanodes',
    seed,
    omMembers: pick(1, 1, 1, 3),
    scmMembers: pick(1, 3, 3),
    datanodes,
    racks: pick(2, 3),
    disksEach: pick(1, 2),
    calmMs: 2_000,
    safetyMs: pick(20_000, 30_000),
    containerBytes: pick(128, 256) * 1024,
    network: { minLatencyMs: 0.2, maxLatencyMs: pick(1, 5, 10) },
    perMinute,
    workload: {
      clients: pick(3, 4, 6),
      keysEach: pick(3, 6),
      thinkMs: pick(100, 200, 300),
      largestBytes: pick(60, 150, 200) * 1024,
      replications: encodes && random.chance(0.7) ? ['RATIS/THREE', erasure] : ['RATIS/THREE'],
    },
  }
}

const text = (value: object): string =>
  Object.entries(value)
    .map(([name, each]) => `${name} ${each}`)
    .join(', ')

/** At most 25 lines. */
export function printDataPlan(plan: DataPlan): readonly string[] {
  const { seed, omMembers, scmMembers, datanodes, racks, disksEach } = plan
  const faults = Object.entries(plan.perMinute).map(([kind, rate]) => `${kind} ${rate}`)
  const lines = [
    `seed ${seed}: ${omMembers} OM, ${scmMembers} SCM, ${datanodes} datanodes in ${racks} racks with ${disksEach} disks each`,
    `  faults for ${plan.safetyMs} ms, after ${plan.calmMs} ms of calm; containers of ${plan.containerBytes} bytes`,
    `  network: ${text(plan.network)}`,
    `  workload: ${text(plan.workload)}`,
    `  faults per minute:${faults.length === 0 ? ' none' : ''}`,
  ]
  for (let at = 0; at < faults.length; at += 5) lines.push(`    ${faults.slice(at, at + 5).join(', ')}`)
  return lines
}
