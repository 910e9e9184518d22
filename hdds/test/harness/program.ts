/** A random program against a datanode: writes, streams, deletions and maintenance, many at a time, until it dies. */

import { StoreError, isStoreError } from '@o3/common/errors'
import type { SimRandom } from '@o3/common/env/sim'
import type { ContainerId } from '@o3/scm/api'
import type { Datanode } from '../../src/api/api.ts'
import type { Container } from '../../src/storage/container.ts'
import type { LocalDatanode } from '../../src/service/local-datanode.ts'
import type { BlockModel, ModelBlock } from './block-model.ts'
import { piecesOf } from './bytes.ts'

type Operation =
  | 'write'
  | 'stream'
  | 'delete'
  | 'close'
  | 'agree'
  | 'compact'
  | 'checkpoint'
  | 'deleteContainer'
  | 'read'

/** What a program is made of: shares of its operations, and how many run side by side. */
interface Mix {
  readonly sideBySide: number
  readonly largestSmallBytes: number
  readonly shares: Readonly<Record<Operation, number>>
}

const mixes = {
  everything: {
    sideBySide: 6,
    largestSmallBytes: 5000,
    shares: {
      write: 45,
      stream: 20,
      delete: 17,
      close: 5,
      agree: 2,
      compact: 6,
      checkpoint: 4,
      deleteContainer: 1,
      read: 2,
    },
  },
  /** Many small records in one unsynced stretch: what a power cut tears in the middle. */
  smallWrites: {
    sideBySide: 24,
    largestSmallBytes: 300,
    shares: {
      write: 96,
      stream: 0,
      delete: 2,
      close: 0,
      agree: 0,
      compact: 0,
      checkpoint: 2,
      deleteContainer: 0,
      read: 0,
    },
  },
  reclaim: {
    sideBySide: 6,
    largestSmallBytes: 3000,
    shares: {
      write: 35,
      stream: 5,
      delete: 25,
      close: 10,
      agree: 3,
      compact: 18,
      checkpoint: 3,
      deleteContainer: 4,
      read: 0,
    },
  },
} as const satisfies Record<string, Mix>

export type MixName = keyof typeof mixes

export interface ProgramOptions {
  readonly mix?: MixName
  readonly random: SimRandom
  readonly model: BlockModel
  /** True once an answer no longer counts: the process died before it was given. */
  readonly isDead: () => boolean
}

function containerOf(datanode: LocalDatanode, id: ContainerId): Container | undefined {
  for (const disk of datanode.dataDisks) {
    const container = disk.containers.get(id)
    if (container !== undefined) return container
  }
  return undefined
}

/** Codes with which a datanode may refuse work that it did not do. */
const refusals = [
  'OutOfSpace',
  'VolumeFailed',
  'Unavailable',
  'ContainerNotFound',
  'Aborted',
  'InvalidArgument',
] as const

export class Program {
  private readonly mix: Mix
  private readonly random: SimRandom
  private readonly model: BlockModel
  private readonly isDead: () => boolean
  private readonly nextLocal = new Map<ContainerId, number>()
  /** Closed with an answer. */
  private readonly closed = new Set<ContainerId>()
  private readonly agreed = new Set<ContainerId>()
  private firstContainer = 1
  private called: Datanode | undefined

  constructor(options: ProgramOptions) {
    this.mix = mixes[options.mix ?? 'everything']
    this.random = options.random
    this.model = options.model
    this.isDead = options.isDead
  }

  /** All promises, as far as they were given. Throws at the first broken one. */
  async check(datanode: LocalDatanode): Promise<void> {
    await this.model.check(datanode)
    for (const report of datanode.containers()) {
      if (report.state === 'OPEN' && this.closed.has(report.id)) throw new Error(`container ${report.id} is open again`)
      if (report.state === 'QUASI_CLOSED' && this.agreed.has(report.id)) {
        throw new Error(`container ${report.id} is quasi-closed again`)
      }
      if (report.state === 'UNHEALTHY') throw new Error(`container ${report.id} is damaged`)
    }
  }

  /** Some rounds of operations that run side by side; `called` is the same datanode, perhaps over a wire. */
  async run(datanode: LocalDatanode, rounds: number, called: Datanode = datanode): Promise<void> {
    this.called = called
    for (let round = 0; round < rounds && !this.isDead(); round++) {
      const operations = Array.from({ length: 1 + this.random.below(this.mix.sideBySide) }, () =>
        this.operation(datanode),
      )
      await Promise.all(operations)
      if (this.random.chance(0.15)) this.firstContainer++
    }
  }

  private operation(datanode: LocalDatanode): Promise<void> {
    return this.operations[this.draw()](datanode)
  }

  private draw(): Operation {
    const shares = Object.entries(this.mix.shares) as [Operation, number][]
    let left = this.random.below(shares.reduce((sum, [, share]) => sum + share, 0))
    for (const [operation, share] of shares) {
      if (left < share) return operation
      left -= share
    }
    return 'write'
  }

  private readonly operations: Readonly<Record<Operation, (datanode: LocalDatanode) => Promise<void>>> = {
    write: (datanode) => this.writeBlock(this.called ?? datanode),
    stream: (datanode) => this.stream(this.called ?? datanode),
    delete: (datanode) => this.delete(this.called ?? datanode),
    close: (datanode) => this.closeContainer(datanode),
    agree: (datanode) => this.agree(datanode),
    compact: (datanode) => this.tolerate(() => (this.called ?? datanode).compact()),
    checkpoint: (datanode) => this.checkpoint(datanode),
    deleteContainer: (datanode) => this.deleteContainer(datanode),
    read: (datanode) => this.readOne(this.called ?? datanode),
  }

  /** Nobody asks for it over a wire; in a process that dies it would never answer. */
  private async checkpoint(datanode: LocalDatanode): Promise<void> {
    if (this.called === datanode) await this.tolerate(() => datanode.dataDisks[0]!.checkpointIndex())
  }

  private newBlock(lengthBytes: number): ModelBlock {
    const container = this.firstContainer + this.random.below(2)
    const local = (this.nextLocal.get(container) ?? 0) + 1
    this.nextLocal.set(container, local)
    return this.model.add({ container, local }, lengthBytes)
  }

  private async writeBlock(datanode: Datanode): Promise<void> {
    const entry = this.newBlock(this.size())
    const pieces = piecesOf(entry.content, 1 + this.random.below(5000))
    await this.settle(entry, async () => {
      await datanode.writeBlock(entry.block, pieces)
    })
  }

  private async stream(datanode: Datanode): Promise<void> {
    const entry = this.newBlock(this.random.below(4) * 25_000 + this.random.below(10_000))
    const givesUp = this.random.chance(0.2)
    await this.settle(entry, async () => {
      const writer = await datanode.openWriter(entry.block)
      try {
        for (const piece of piecesOf(entry.content, 1000 + this.random.below(70_000))) await writer.write([piece])
        if (!givesUp) await writer.commit()
      } finally {
        if (givesUp) await writer.abort()
      }
      if (givesUp) throw new StoreError('Aborted', 'as planned')
    })
  }

  private async delete(datanode: Datanode): Promise<void> {
    const candidates = this.model.blocks.filter(({ state }) => state === 'acknowledged' || state === 'vanishing')
    const chosen = candidates[this.random.below(Math.max(1, candidates.length))]
    if (chosen === undefined) return
    const { container, local } = chosen.block
    // A run of ids around it; the ones that have no block, or one under way, are none of this deletion's business.
    const run = candidates.filter(({ block }) => block.container === container && Math.abs(block.local - local) < 3)
    for (const entry of run) entry.state = 'vanishing'
    const ranges = run.map(({ block }) => ({ container, firstLocal: block.local, count: 1 }))
    await this.tolerate(async () => {
      await datanode.deleteBlocks(ranges)
      if (!this.isDead()) for (const entry of run) entry.state = 'absent'
    })
  }

  private async closeContainer(datanode: LocalDatanode): Promise<void> {
    const reports = datanode.containers().filter(({ state }) => state === 'OPEN')
    const chosen = reports[this.random.below(Math.max(1, reports.length))]
    if (chosen === undefined) return
    const alone = this.called === datanode && this.random.chance(0.3)
    await this.tolerate(async () => {
      if (alone) await containerOf(datanode, chosen.id)?.close({ how: 'alone' })
      else await (this.called ?? datanode).closeContainer(chosen.id)
      if (!this.isDead()) this.closed.add(chosen.id)
    })
  }

  /** What SCM has reconciled. */
  private async agree(datanode: LocalDatanode): Promise<void> {
    const reports = datanode.containers().filter(({ state }) => state === 'QUASI_CLOSED')
    const chosen = reports[this.random.below(Math.max(1, reports.length))]
    if (chosen === undefined || this.called !== datanode) return
    await this.tolerate(async () => {
      await containerOf(datanode, chosen.id)?.agree()
      if (!this.isDead()) this.agreed.add(chosen.id)
    })
  }

  private async deleteContainer(datanode: LocalDatanode): Promise<void> {
    const reports = datanode.containers().filter(({ state }) => state === 'CLOSED')
    const chosen = reports[this.random.below(Math.max(1, reports.length))]
    if (chosen === undefined) return
    // As SCM does: no block of a container that is to be deleted is handed out any more.
    this.firstContainer = Math.max(this.firstContainer, chosen.id + 1)
    const inside = this.model.blocks.filter(({ block, state }) => block.container === chosen.id && state !== 'absent')
    for (const entry of inside) entry.state = 'vanishing'
    await this.tolerate(async () => {
      await (this.called ?? datanode).deleteContainer(chosen.id)
      if (!this.isDead()) for (const entry of inside) entry.state = 'absent'
    })
  }

  private async readOne(datanode: Datanode): Promise<void> {
    const chosen = this.model.blocks[this.random.below(Math.max(1, this.model.blocks.length))]
    if (chosen?.state !== 'acknowledged' || chosen.lengthBytes === 0) return
    const offset = this.random.below(chosen.lengthBytes)
    const length = 1 + this.random.below(chosen.lengthBytes - offset)
    await this.tolerate(() => datanode.readSmall(chosen.block, { offset, length }), ['BlockNotFound'])
  }

  private size(): number {
    const draw = this.random.fraction()
    if (draw < 0.1) return this.random.below(3)
    if (draw < 0.85 || this.mix.largestSmallBytes < 1000) return this.random.below(this.mix.largestSmallBytes)
    return this.random.below(80_000)
  }

  private async settle(entry: ModelBlock, write: () => Promise<void>): Promise<void> {
    try {
      await write()
      if (!this.isDead()) entry.state = 'acknowledged'
    } catch (error) {
      if (this.isDead()) return
      if (isStoreError(error, 'OutcomeUnknown')) return
      if (!isStoreError(error, ...refusals)) throw error
      // Refused or given up while the process lives: nothing of it may be seen, now or later. Of a write that met a
      // failing disk nobody knows.
      entry.state = isStoreError(error, 'OutOfSpace', 'VolumeFailed') ? 'unknown' : 'absent'
    }
  }

  private async tolerate(action: () => Promise<unknown>, codes: readonly 'BlockNotFound'[] = []): Promise<void> {
    try {
      await action()
    } catch (error) {
      if (this.isDead() || isStoreError(error, ...refusals, ...codes)) return
      throw error
    }
  }
}
