import { SimRandom } from '@o3/common/env/sim'

/** Everything that is done to a cluster, and counted. */
export const faultKinds = [
  'crash',
  'power-cut',
  'pause',
  'clock-drift',
  'clock-step',
  'isolate',
  'swizzle',
  'split',
  'one-way',
  'partial',
  'loss',
  'duplicate',
  'reorder',
  'replay',
  'slow-link',
  'slow-disk',
  'sync-failure',
  'flip',
  'blank',
  'refuse-chunk',
  'unreachable',
  'change-membership',
  'transfer',
  'compact',
] as const

export type FaultKind = (typeof faultKinds)[number]

/** Inclusive, in milliseconds. */
export type Span = readonly [number, number]

/** All that a seed decides before the first event. What is not in here is drawn from the same seed as the run goes. */
export interface SimPlan {
  readonly seed: number
  readonly members: number
  readonly spares: number
  /** Nothing before the first entry, or everybody starts behind one snapshot. */
  readonly birth: 'empty' | 'snapshot'
  /** How long faults are done. */
  readonly safetyMs: number
  /** Of that, how long they wait. */
  readonly calmMs: number
  readonly raft: {
    readonly electionTimeoutMs: number
    readonly heartbeatMs: number
    /** All but the election timeout when leases are off: then none is long enough to answer by. */
    readonly maxClockDriftMs: number
    readonly maxAppendBytes: number
    readonly maxInflightAppends: number
    readonly maxInflightBytes: number
    readonly maxUncommittedBytes: number
    readonly maxTailBytes: number
    readonly promotionLagEntries: number
  }
  readonly leases: 'on' | 'off'
  /** By member, then by spare. */
  readonly priorities: readonly number[]
  /** Largest deviation of a clock's rate from 1. */
  readonly drift: number
  /** Whether a member tells the core the time with every input, or by its timer alone. */
  readonly ticks: 'each-input' | 'timer'
  /** Chance that `ready` is taken only after a later input. */
  readonly lazyReady: number
  readonly network: {
    readonly delayMs: Span
    readonly loss: number
    readonly duplicate: number
    /** Chance that a copy comes again much later. */
    readonly replay: number
    readonly order: 'kept' | 'any'
  }
  readonly disk: {
    readonly syncMs: Span
    readonly readMs: Span
    readonly applyMs: Span
    /** Chance that an operation takes twenty times as long. */
    readonly tail: number
    readonly chunkFailure: number
  }
  readonly snapshots: {
    readonly chunks: number
    /** Applied entries between two checkpoints. */
    readonly everyEntries: number
    /** Most entries that a cut leaves behind the checkpoint. */
    readonly keepEntries: number
  }
  readonly workload: {
    readonly clients: number
    readonly thinkMs: number
    readonly readShare: number
    /** Everybody who says it leads is asked for a read this often. */
    readonly probeMs: number
    readonly payloadBytes: number
    readonly keys: number
  }
  /** Chance that a fault comes with a second one that makes it worse. */
  readonly malice: number
  /** Per simulated minute; 0: off. */
  readonly perMinute: Readonly<Partial<Record<FaultKind, number>>>
}

/** What a nemesis does of itself, with its usual rate while it is on. */
const usualPerMinute = {
  crash: 14,
  'power-cut': 2,
  pause: 8,
  'clock-step': 5,
  isolate: 8,
  swizzle: 3,
  split: 4,
  'one-way': 6,
  partial: 6,
  'clock-drift': 5,
  'slow-link': 4,
  'slow-disk': 5,
  'sync-failure': 4,
  flip: 8,
  blank: 8,
  'change-membership': 16,
  transfer: 12,
  compact: 12,
} as const satisfies Partial<Record<FaultKind, number>>

/** The same seed gives the same plan. Half of the seeds turn most faults off: few faults at a time are found out by more. */
export function planOf(seed: number): SimPlan {
  const random = new SimRandom(`plan/${seed}`)
  const pick = <T>(...choices: readonly [T, ...T[]]): T => choices[random.below(choices.length)] ?? choices[0]
  const some = (chance: number, value: number): number => (random.chance(chance) ? value * random.fraction() : 0)

  /** Now and then nothing but paths that close, in a group with little to do: then a member that lost its leader may still win. */
  const isQuiet = random.chance(0.1)
  const share = isQuiet ? 0 : pick(0.15, 0.3, 0.6, 0.9)
  const temper = pick(0.5, 1, 1, 2)
  const members = pick(3, 3, 3, 5, 5, 7)
  const spares = pick(1, 2, 3)
  const leases = isQuiet ? 'on' : pick<'on' | 'off'>('on', 'on', 'off')
  const electionTimeoutMs = pick(150, 300, 500)
  const maxClockDriftMs = leases === 'on' ? Math.round(electionTimeoutMs * pick(0.2, 0.3)) : electionTimeoutMs - 0.001
  const birth = pick<'empty' | 'snapshot'>('snapshot', 'snapshot', 'empty')
  const perMinute: Partial<Record<FaultKind, number>> = {}
  for (const [kind, rate] of Object.entries(usualPerMinute) as [keyof typeof usualPerMinute, number][]) {
    const isPossible = (kind !== 'clock-step' || leases === 'off') && (kind !== 'blank' || birth === 'snapshot')
    if (random.chance(share) && isPossible)
      perMinute[kind] = Math.round(rate * temper * (0.5 + random.fraction()) * 10) / 10
  }
  if (isQuiet) Object.assign(perMinute, { partial: 40, transfer: 10 })
  const delayTo = electionTimeoutMs * (isQuiet ? 0.01 : pick(0.01, 0.05, 0.15))
  const syncTo = electionTimeoutMs * pick(0.01, 0.04, 0.1)
  const payloadBytes = pick(16, 16, 200, 1500)
  const isTight = random.chance(0.4)
  return {
    seed,
    members,
    spares,
    birth,
    safetyMs: pick(15_000, 20_000, 30_000),
    calmMs: pick(0, 0, 3000),
    raft: {
      electionTimeoutMs,
      heartbeatMs: Math.round(electionTimeoutMs / pick(5, 10)),
      maxClockDriftMs,
      maxAppendBytes: isTight ? 100 : pick(2_000, 100_000),
      maxInflightAppends: isTight ? pick(1, 2) : pick(4, 64),
      maxInflightBytes: isTight ? 1000 : pick(20_000, 1_000_000),
      maxUncommittedBytes: isTight ? pick(2_000, 10_000) : 1_000_000,
      maxTailBytes: pick(500, 5_000, 1_000_000),
      promotionLagEntries: pick(5, 50, 1000),
    },
    leases,
    priorities: prioritiesOf(random, members + spares),
    drift: leases === 'on' ? pick(0, 0.02, 0.04) : pick(0, 0.05, 0.3),
    ticks: pick('each-input', 'each-input', 'timer'),
    lazyReady: pick(0, 0, 0.2),
    network: {
      delayMs: [delayTo * pick(0.1, 0.5), delayTo],
      loss: some(share, 0.2),
      duplicate: some(share, 0.3),
      replay: some(share, 0.03),
      order: random.chance(share) ? 'any' : 'kept',
    },
    disk: {
      syncMs: [syncTo * pick(0.1, 0.5), syncTo],
      readMs: [0.1, syncTo],
      applyMs: [0, pick(0, 1, syncTo)],
      tail: random.chance(share) ? 0.01 : 0,
      chunkFailure: some(share, 0.3),
    },
    snapshots: { chunks: pick(1, 3, 8), everyEntries: pick(20, 60, 300), keepEntries: pick(0, 10, 100) },
    workload: {
      clients: pick(2, 4, 6),
      thinkMs: electionTimeoutMs * (isQuiet ? 6 : pick(0.05, 0.2, 0.6, 3)),
      readShare: pick(0.2, 0.4),
      probeMs: electionTimeoutMs * pick(0.1, 0.3),
      payloadBytes,
      keys: pick(1, 4, 16),
    },
    malice: isQuiet ? 0.8 : pick(0, 0.4, 0.8),
    perMinute,
  }
}

/** Mostly all alike; sometimes one is preferred, sometimes one leads only when nobody else does. */
function prioritiesOf(random: SimRandom, count: number): readonly number[] {
  const priorities = Array.from({ length: count }, () => 1)
  const mood = random.fraction()
  if (mood < 0.2) priorities[random.below(count)] = 2
  else if (mood < 0.4) priorities[random.below(count)] = 0
  return priorities
}

const round = (value: number): number => Math.round(value * 1000) / 1000
const spanText = ([from, to]: Span): string => `${round(from)}–${round(to)}`

/** At most 25 lines of 80 columns. */
export function printPlan(plan: SimPlan): readonly string[] {
  const { raft, network, disk, snapshots, workload } = plan
  const faults = Object.entries(plan.perMinute).map(([kind, rate]) => `${kind} ${rate}`)
  return [
    `seed ${plan.seed}: ${plan.members} members, ${plan.spares} spares, born ${plan.birth}`,
    `  faults for ${plan.safetyMs} ms, after ${plan.calmMs} ms of calm`,
    `  election ${raft.electionTimeoutMs} ms, heartbeat ${raft.heartbeatMs} ms, leases ${plan.leases} (drift bound ${raft.maxClockDriftMs} ms)`,
    `  clocks: rate within ±${plan.drift}, told ${plan.ticks}; ready late ${plan.lazyReady}`,
    `  append ≤ ${raft.maxAppendBytes} B, in flight ≤ ${raft.maxInflightAppends} and ${raft.maxInflightBytes} B`,
    `  uncommitted ≤ ${raft.maxUncommittedBytes} B, tail ≤ ${raft.maxTailBytes} B, promotion lag ${raft.promotionLagEntries}`,
    `  priorities ${plan.priorities.join(' ')}`,
    `  network ${spanText(network.delayMs)} ms, order ${network.order}`,
    `    loss ${round(network.loss)}, duplicate ${round(network.duplicate)}, replay ${round(network.replay)}`,
    `  disk sync ${spanText(disk.syncMs)} ms, read ${spanText(disk.readMs)} ms, apply ${spanText(disk.applyMs)} ms`,
    `    tail ${disk.tail}, chunk failure ${round(disk.chunkFailure)}`,
    `  checkpoint every ${snapshots.everyEntries}, keep ≤ ${snapshots.keepEntries}, ${snapshots.chunks} chunks`,
    `  ${workload.clients} clients think ${round(workload.thinkMs)} ms, reads ${workload.readShare}, ${workload.payloadBytes} B, ${workload.keys} keys`,
    `  per minute, and worse with chance ${plan.malice}:`,
    ...inLines(faults.length === 0 ? ['nothing'] : faults),
  ]
}

function inLines(words: readonly string[]): readonly string[] {
  const lines: string[] = []
  for (let i = 0; i < words.length; i += 4) lines.push(`    ${words.slice(i, i + 4).join(', ')}`)
  return lines
}
