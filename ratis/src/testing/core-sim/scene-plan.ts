import { planOf, type SimPlan } from './plan.ts'

/** A plan in which nothing happens by itself but what clients do: the faults are a scene's. */
export function scenePlan(seed: number, changes: Partial<SimPlan> = {}): SimPlan {
  const electionTimeoutMs = 300
  const { raft, ...rest } = planOf(seed)
  return {
    ...rest,
    members: 3,
    spares: 2,
    birth: 'snapshot',
    safetyMs: 60_000,
    calmMs: 0,
    raft: {
      ...raft,
      electionTimeoutMs,
      heartbeatMs: 30,
      maxClockDriftMs: 60,
      maxAppendBytes: 100_000,
      maxInflightAppends: 64,
      maxInflightBytes: 1_000_000,
      maxUncommittedBytes: 1_000_000,
      maxTailBytes: 1_000_000,
      promotionLagEntries: 50,
    },
    leases: 'on',
    priorities: [],
    drift: 0,
    ticks: 'each-input',
    lazyReady: 0,
    network: { delayMs: [0.5, 2], loss: 0, duplicate: 0, replay: 0, order: 'kept' },
    disk: { syncMs: [0.5, 2], readMs: [0.1, 1], applyMs: [0, 0], tail: 0, chunkFailure: 0 },
    snapshots: { chunks: 3, everyEntries: 300, keepEntries: 100 },
    workload: { clients: 2, thinkMs: 20, readShare: 0.2, probeMs: 10, payloadBytes: 16, keys: 4 },
    malice: 0,
    perMinute: {},
    ...changes,
  }
}
