import { SimRandom } from '@o3/common/env/sim'

/** All that a seed decides before it begins. */
export interface SystemPlan {
  readonly seed: number
  readonly members: number
  readonly safetyMs: number
  readonly raft: { readonly electionTimeoutMs: number; readonly heartbeatMs: number }
  readonly log: { readonly segmentBytes: number; readonly maxBatchBytes: number }
  readonly checkpoint: { readonly everyLogBytes: number; readonly keepLogBytes: number }
  readonly cacheBytes: number
  readonly network: { readonly minLatencyMs: number; readonly maxLatencyMs: number; readonly resetChance: number }
  readonly om: {
    readonly leaseDurationMs: number
    readonly stockBlocks: number
    readonly blockDeletionDelayMs: number
    readonly reconcileIntervalMs: number
  }
  readonly workload: {
    readonly keyClients: number
    readonly treeClients: number
    readonly thinkMs: number
    readonly keys: number
    readonly repeatShare: number
    readonly followerShare: number
  }
}

/** The same seed gives the same plan. */
export function planOf(seed: number): SystemPlan {
  const random = new SimRandom(`system-plan/${seed}`)
  const pick = <T>(...choices: readonly [T, ...T[]]): T => choices[random.below(choices.length)] ?? choices[0]
  const electionTimeoutMs = pick(600, 800, 1_200)
  const segmentBytes = pick(32, 64, 128) * 1024
  return {
    seed,
    members: 3,
    safetyMs: pick(20_000, 25_000, 30_000),
    raft: { electionTimeoutMs, heartbeatMs: electionTimeoutMs / pick(4, 6) },
    log: { segmentBytes, maxBatchBytes: segmentBytes / 2 },
    checkpoint: { everyLogBytes: pick(16, 32, 64) * 1024, keepLogBytes: pick(0, 0, 16, 64) * 1024 },
    cacheBytes: pick(4_000, 64_000, 1_000_000),
    network: { minLatencyMs: 0.2, maxLatencyMs: pick(1, 5, 20), resetChance: 0 },
    om: {
      leaseDurationMs: pick(4_000, 10_000, 60_000),
      stockBlocks: pick(8, 32),
      blockDeletionDelayMs: pick(500, 2_000),
      reconcileIntervalMs: pick(300, 1_000),
    },
    workload: {
      keyClients: pick(3, 4, 5),
      treeClients: 2,
      thinkMs: pick(60, 120, 250),
      keys: pick(3, 5, 8),
      repeatShare: pick(0.05, 0.2),
      followerShare: pick(0.1, 0.3),
    },
  }
}
