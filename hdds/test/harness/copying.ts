import { nullLogger } from '@o3/common/logger'
import type { ReplicaSource } from '../../src/api/api.ts'
import { copyContainer } from '../../src/copy/copy-container.ts'
import type { CopyScope } from '../../src/copy/copy-scope.ts'
import { reconcileContainer } from '../../src/copy/reconcile-container.ts'
import { Pace } from '../../src/storage/pace.ts'
import type { Machine } from './machine.ts'
import { MemoryReplica } from './memory-replica.ts'
import { patternOf } from './bytes.ts'

export function scopeOf(machine: Machine, bytesPerSecond = Infinity): CopyScope {
  const { env, datanode } = machine
  return {
    env,
    log: nullLogger,
    home: datanode,
    silenceMs: 5_000,
    pace: new Pace(env.clock, () => bytesPerSecond),
  }
}

export interface CopyOptions {
  readonly container?: number
  readonly signal?: AbortSignal
  readonly progress?: (doneBytes: number, totalBytes: number) => void
  readonly bytesPerSecond?: number
}

export async function copy(
  machine: Machine,
  sources: readonly ReplicaSource[],
  options: CopyOptions = {},
): Promise<void> {
  const { container = 1, signal = new AbortController().signal, progress = () => {} } = options
  await copyContainer(scopeOf(machine, options.bytesPerSecond), { container, sources, signal, progress })
}

export async function reconcile(machine: Machine, sources: readonly ReplicaSource[], container = 1): Promise<void> {
  const { signal } = new AbortController()
  await reconcileContainer(scopeOf(machine), { container, sources, signal, progress: () => {} })
}

/** As `reconcile`, where nobody else is left. */
export async function salvage(machine: Machine, sources: readonly ReplicaSource[]): Promise<void> {
  const { signal } = new AbortController()
  await reconcileContainer(scopeOf(machine), { container: 1, sources, signal, progress: () => {} }, 'anybody')
}

/** Replicas with the same blocks: local id → length. */
export function replicas(machine: Machine, count: number, lengths: Readonly<Record<number, number>>): MemoryReplica[] {
  return Array.from({ length: count }, (_, i) => {
    const replica = new MemoryReplica(`dn-${i + 10}`, 1, machine.simulation.clock)
    for (const [local, length] of Object.entries(lengths))
      replica.blocks.set(Number(local), contentOf(Number(local), length))
    return replica
  })
}

export function contentOf(local: number, length: number): Uint8Array {
  return patternOf(1_000_003 + local, length)
}
