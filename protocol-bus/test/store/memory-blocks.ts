/** Blocks and leases in memory: the ports under the store, with switches for what can go wrong. */

import { StoreError } from '@o3/common/errors'
import type { BlockAccess, BlockReceipt, BlockStore, BlockWriter, ReadRange } from '@o3/hdds/api'
import type { Lease, OmCommand, OmReply } from '@o3/om/api'
import type { BlockId, ContainerId, ReplicationConfig } from '@o3/scm/api'

export class MemoryBlocks implements BlockStore {
  readonly committed = new Map<string, Uint8Array>()
  readonly closed = new Set<ContainerId>()
  /** Asked before each write of bytes; what it throws is what the write meets. */
  onWrite: (written: number) => Promise<void> | void = () => {}
  /** Asked before each step of a block; what it throws is what the step meets. */
  onStep: (step: 'writeBlock' | 'openWriter' | 'write' | 'commit', block: BlockId) => Promise<void> | void = () => {}
  openWriters = 0
  /** The token that each write brought. */
  readonly tokens = new Map<string, string>()
  private written = 0

  async writeBlock(block: BlockId, pieces: readonly Uint8Array[], access?: BlockAccess): Promise<BlockReceipt> {
    this.note(block, access)
    this.assertOpen(block)
    await this.onStep('writeBlock', block)
    await this.onWrite((this.written += length(pieces)))
    return this.commit(
      block,
      pieces.map((piece) => new Uint8Array(piece)),
    )
  }

  async openWriter(block: BlockId, access?: BlockAccess): Promise<BlockWriter> {
    this.note(block, access)
    this.assertOpen(block)
    await this.onStep('openWriter', block)
    this.openWriters++
    const pieces: Uint8Array[] = []
    let ended = false
    const end = (): void => {
      if (!ended) this.openWriters--
      ended = true
    }
    return {
      block,
      write: async (given) => {
        await this.onStep('write', block)
        await this.onWrite((this.written += length(given)))
        pieces.push(...given.map((piece) => new Uint8Array(piece)))
      },
      commit: async () => {
        end()
        await this.onStep('commit', block)
        return this.commit(block, pieces)
      },
      abort: async () => end(),
    }
  }

  async *read(block: BlockId, range: ReadRange): AsyncGenerator<Uint8Array> {
    const bytes = this.find(block).subarray(range.offset, range.offset + range.length)
    for (let at = 0; at < bytes.length; at += 1000) yield bytes.slice(at, at + 1000)
  }

  async readSmall(block: BlockId, range: ReadRange): Promise<Uint8Array> {
    return this.find(block).slice(range.offset, range.offset + range.length)
  }

  private find(block: BlockId): Uint8Array {
    const bytes = this.committed.get(nameOf(block))
    if (bytes === undefined) throw new StoreError('BlockNotFound', 'no such block')
    return bytes
  }

  private commit(block: BlockId, pieces: readonly Uint8Array[]): BlockReceipt {
    const bytes = Buffer.concat(pieces)
    this.committed.set(nameOf(block), bytes)
    return { block, lengthBytes: bytes.length, datanodes: ['one'], proofs: [Buffer.from(`has ${nameOf(block)}`)] }
  }

  private note(block: BlockId, access: BlockAccess = {}): void {
    this.tokens.set(nameOf(block), Buffer.from(access.token ?? []).toString())
  }

  private assertOpen({ container }: BlockId): void {
    if (this.closed.has(container)) throw new StoreError('Unavailable', 'the container is closed')
  }
}

export function nameOf({ container, local }: BlockId): string {
  return `${container}/${local}`
}

function length(pieces: readonly Uint8Array[]): number {
  return pieces.reduce((sum, piece) => sum + piece.length, 0)
}

interface Asked {
  readonly holder: string
  readonly count: number
  readonly replication: ReplicationConfig
}

/** OM as far as leases go. Each lease has one container of its own, unless told otherwise. */
export class MemoryLeases {
  readonly calls: string[] = []
  readonly live = new Map<number, Lease>()
  termMs = 1000
  /** Of the next lease. */
  containers: (lease: number) => readonly ContainerId[] = (lease) => [lease]
  refusal: StoreError | undefined
  private last = 0
  private readonly nowMs: () => number

  constructor(nowMs: () => number) {
    this.nowMs = nowMs
  }

  async leaseBlocks({ holder, count, replication }: Asked): Promise<Lease> {
    this.calls.push('lease')
    if (this.refusal !== undefined) throw this.refusal
    const id = ++this.last
    const containers = this.containers(id)
    const each = count / containers.length
    const ranges = containers.map((container) => ({ container, firstLocal: id * 1000, count: each }))
    const expiresMs = this.nowMs() + this.termMs
    const tokens = tokensOf(ranges, expiresMs)
    const lease: Lease = { id, holder, expiresMs, replication, ranges, tokens }
    this.live.set(id, lease)
    return lease
  }

  async execute(command: OmCommand): Promise<OmReply> {
    if (command.kind !== 'renew-lease' && command.kind !== 'end-lease')
      throw new Error(`not of leases: ${command.kind}`)
    this.calls.push(`${command.kind} ${command.lease}`)
    const lease = this.live.get(command.lease)
    if (lease === undefined || lease.expiresMs <= this.nowMs()) throw new StoreError('LeaseExpired', 'it is over')
    if (command.kind === 'end-lease') {
      this.live.delete(command.lease)
      return { kind: 'done' }
    }
    const expiresMs = this.nowMs() + command.durationMs
    const renewed = { ...lease, expiresMs, tokens: tokensOf(lease.ranges, expiresMs) }
    this.live.set(command.lease, renewed)
    return { kind: 'lease', lease: renewed }
  }
}

/** To be told apart by where they are for and until when. */
function tokensOf(ranges: Lease['ranges'], expiresMs: number): readonly Uint8Array[] {
  return ranges.map(({ container }) => Buffer.from(`${container} until ${expiresMs}`))
}
