import { SimRandom } from '@o3/common/env/sim'

/** What a nemesis does of itself, with its usual rate per minute while it is on. */
const usualPerMinute = {
  kill: 6,
  crash: 8,
  'power-cut': 1.5,
  'crash-at-site': 8,
  pause: 5,
  'clock-step': 4,
  'clock-drift': 4,
  isolate: 6,
  'one-way': 6,
  partial: 5,
  'slow-link': 5,
  resets: 4,
  messages: 5,
  'slow-disk': 4,
  'sync-failure': 3,
  'full-disk': 3,
  flip: 4,
  blank: 4,
  'replace-member': 3,
  transfer: 6,
  checkpoint: 8,
} as const

export type FaultKind = keyof typeof usualPerMinute
export const faultKinds = Object.keys(usualPerMinute) as readonly FaultKind[]

/** All that a seed decides before it begins. */
export interface SystemPlan {
  readonly seed: number
  readonly members: number
  readonly safetyMs: number
  readonly calmMs: number
  /** The clocks of machines go this much too fast or too slow at most. */
  readonly drift: number
  /** Of Raft's messages. */
  readonly messages: { readonly loss: number; readonly duplicate: number; readonly late: number }
  /** Chance that who has just begun to lead is struck at once. */
  readonly malice: number
  /** Of each kind of fault, for the whole cluster; absent: none. */
  readonly perMinute: Readonly<Partial<Record<FaultKind, number>>>
  readonly raft: { readonly electionTimeoutMs: number; readonly heartbeatMs: number }
  readonly log: { readonly segmentBytes: number; readonly maxBatchBytes: number }
  readonly checkpoint: { readonly everyLogBytes: number; readonly keepLogBytes: number }
  readonly cacheBytes: number
  readonly network: { readonly minLatencyMs: number; readonly maxLatencyMs: number; readonly resetChance: number }
  readonly om: {
    readonly leaseDurationMs: number
    readonly stockBlocks: number
    readonly stockMaxAgeMs: number
    readonly blockDeletionDelayMs: number
    readonly reconcileIntervalMs: number
  }
  readonly workload: {
    readonly keyClients: number
    readonly treeClients: number
    readonly thinkMs: number
    readonly keys: number
    readonly repeatShare: number
    readonly memberShare: number
  }
}

/** The same seed gives the same plan. */
export function planOf(seed: number): SystemPlan {
  const random = new SimRandom(`system-plan/${seed}`)
  const pick = <T>(...choices: readonly [T, ...T[]]): T => choices[random.below(choices.length)] ?? choices[0]
  const share = pick(0.15, 0.3, 0.6, 0.9)
  const temper = pick(0.5, 1, 1, 2)
  const perMinute: Partial<Record<FaultKind, number>> = {}
  for (const kind of faultKinds) {
    if (!random.chance(share)) continue
    perMinute[kind] = Math.round(usualPerMinute[kind] * temper * (0.5 + random.fraction()) * 10) / 10
  }
  const some = (value: number): number =>
    random.chance(share) ? Math.round(1000 * value * random.fraction()) / 1000 : 0
  const electionTimeoutMs = pick(600, 800, 1_200)
  const segmentBytes = pick(32, 64, 128) * 1024
  return {
    seed,
    members: 3,
    safetyMs: pick(20_000, 25_000, 30_000),
    calmMs: pick(0, 0, 2_000),
    drift: pick(0, 0.005, 0.02),
    messages: { loss: some(0.05), duplicate: some(0.1), late: some(0.1) },
    malice: pick(0, 0, 0.3, 0.6),
    perMinute,
    raft: { electionTimeoutMs, heartbeatMs: electionTimeoutMs / pick(4, 6) },
    log: { segmentBytes, maxBatchBytes: segmentBytes / 2 },
    checkpoint: { everyLogBytes: pick(16, 32, 64) * 1024, keepLogBytes: pick(0, 0, 16, 64) * 1024 },
    cacheBytes: pick(4_000, 64_000, 1_000_000),
    network: { minLatencyMs: 0.2, maxLatencyMs: pick(1, 5, 20), resetChance: 0 },
    om: {
      leaseDurationMs: pick(4_000, 10_000, 60_000),
      stockBlocks: pick(4, 8, 32),
      stockMaxAgeMs: pick(2_000, 10_000, 60_000),
      blockDeletionDelayMs: pick(500, 2_000),
      reconcileIntervalMs: pick(300, 1_000),
    },
    workload: {
      keyClients: pick(3, 4, 5),
      treeClients: 2,
      thinkMs: pick(60, 120, 250),
      keys: pick(3, 5, 8),
      repeatShare: pick(0.05, 0.2),
      memberShare: pick(0.1, 0.3),
    },
  }
}

const text = (value: object): string =>
  Object.entries(value)
    .map(([name, each]) => `${name} ${each}`)
    .join(', ')

/** At most 25 lines. */
export function printPlan(plan: SystemPlan): readonly string[] {
  const faults = Object.entries(plan.perMinute).map(([kind, rate]) => `${kind} ${rate}`)
  return [
    `seed ${plan.seed}: ${plan.members} OM, ${plan.members} SCM`,
    `  faults for ${plan.safetyMs} ms, after ${plan.calmMs} ms of calm; clocks within ±${plan.drift}, malice ${plan.malice}`,
    `  raft: ${text(plan.raft)}`,
    `  log: ${text(plan.log)}`,
    `  checkpoint: ${text(plan.checkpoint)}; cacheBytes ${plan.cacheBytes}`,
    `  network: ${text(plan.network)}`,
    `  raft messages: ${text(plan.messages)}`,
    `  om: ${text(plan.om)}`,
    `  workload: ${text(plan.workload)}`,
    '  faults per minute:',
    ...inLines(faults.length === 0 ? ['none'] : faults),
  ]
}

function inLines(words: readonly string[]): readonly string[] {
  const lines: string[] = []
  for (let at = 0; at < words.length; at += 5) lines.push(`    ${words.slice(at, at + 5).join(', ')}`)
  return lines
}
