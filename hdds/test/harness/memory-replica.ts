import type { Clock } from '@o3/common/env'
import { StoreError } from '@o3/common/errors'
import type { BlockRange, ContainerId, DatanodeId, LocalId } from '@o3/scm/api'
import type { BlockInfo, BlockPage, ReplicaSource, ReplicaSummary } from '../../src/api/api.ts'
import { encodeFrameHead } from '../../src/copy/block-frames.ts'
import { checksumOfUnits } from '../../src/core/block-checksum.ts'
import { emptyHash, formatHash, withBlock } from '../../src/core/content-hash.ts'
import { recordBytes } from '../../src/core/record-layout.ts'
import { crc32c, unitChecksums } from '../../src/storage/checksum.ts'

/** How a source misbehaves. */
export interface ReplicaFaults {
  /** Each stream breaks off after so many bytes. */
  readonly breaksAfterBytes?: number
  /** From the first byte of this block on it says nothing more. */
  readonly silentAt?: LocalId
  readonly pauseMs?: number
  /** Their bytes are not what the list says. */
  readonly corrupts?: (local: LocalId) => boolean
  /** Not in the list, although they are in the hash. */
  readonly hides?: (local: LocalId) => boolean
  readonly absent?: (local: LocalId) => boolean
  readonly damaged?: (local: LocalId) => boolean
  readonly unreachable?: () => boolean
}

/** A replica in memory: the twin of one at another datanode, for whoever copies it. */
export class MemoryReplica implements ReplicaSource {
  readonly id: DatanodeId
  readonly container: ContainerId
  readonly blocks = new Map<LocalId, Uint8Array>()
  seal: ReplicaSummary['seal'] = 'agreed'
  isDamaged = false
  generation = 1
  faults: ReplicaFaults = {}
  /** Bytes of blocks that went out. */
  sentBytes = 0
  readonly sent: LocalId[] = []
  /** Called when a block is about to be sent. */
  onBlock: ((local: LocalId) => void) | undefined
  private readonly clock: Clock

  constructor(id: DatanodeId, container: ContainerId, clock: Clock) {
    this.id = id
    this.container = container
    this.clock = clock
  }

  get hash(): string {
    let hash: ReturnType<typeof withBlock> = emptyHash
    for (const [local, bytes] of this.blocks) {
      hash = withBlock(hash, { local, lengthBytes: bytes.length, checksum: checksumOf(bytes) })
    }
    return formatHash(hash!)
  }

  async summarizeReplica(): Promise<ReplicaSummary> {
    await this.answer()
    let liveBytes = 0
    for (const bytes of this.blocks.values()) liveBytes += recordBytes(bytes.length)
    const { seal, isDamaged: damaged, generation, hash: contentHash } = this
    return { seal, damaged, generation, liveBytes, blockCount: this.blocks.size, contentHash }
  }

  async listReplica({ after, limit }: BlockPage): Promise<readonly BlockInfo[]> {
    await this.answer()
    const locals = [...this.blocks.keys()].toSorted((a, b) => a - b)
    return locals
      .filter((local) => local > after && this.faults.hides?.(local) !== true)
      .slice(0, limit)
      .map((local) => {
        const bytes = this.blocks.get(local)!
        const block = { container: this.container, local }
        return { block, lengthBytes: bytes.length, checksum: checksumOf(bytes) }
      })
  }

  async *readBlocks(ranges: readonly BlockRange[]): AsyncGenerator<Uint8Array, undefined> {
    await this.answer()
    let left = this.faults.breaksAfterBytes ?? Infinity
    for (const { firstLocal, count } of ranges) {
      for (let local = firstLocal; local < firstLocal + count; local++) {
        for await (const piece of this.frame(local)) {
          left -= piece.length
          if (left < 0) throw new StoreError('Unavailable', 'the connection broke')
          yield piece
        }
      }
    }
  }

  private async *frame(local: LocalId): AsyncGenerator<Uint8Array, undefined> {
    const { faults } = this
    this.onBlock?.(local)
    const bytes = this.blocks.get(local)
    if (faults.silentAt === local) await new Promise(() => {})
    if (faults.pauseMs !== undefined) await this.clock.sleep(faults.pauseMs)
    const without = { local, lengthBytes: 0, checksum: 0 }
    if (bytes === undefined || faults.absent?.(local) === true) {
      yield encodeFrameHead({ kind: 'absent', ...without })
      return
    }
    if (faults.damaged?.(local) === true) {
      yield encodeFrameHead({ kind: 'damaged', ...without })
      return
    }
    yield encodeFrameHead({ kind: 'block', local, lengthBytes: bytes.length, checksum: checksumOf(bytes) })
    const sent = Uint8Array.from(bytes)
    if (faults.corrupts?.(local) === true) sent[sent.length >> 1]! ^= 1
    for (let at = 0; at < sent.length; at += 300_000) {
      const piece = sent.subarray(at, at + 300_000)
      this.sentBytes += piece.length
      yield piece
    }
    this.sent.push(local)
  }

  private async answer(): Promise<void> {
    await this.clock.sleep(1)
    if (this.faults.unreachable?.() === true) throw new StoreError('Unavailable', 'nobody answers')
  }
}

function checksumOf(bytes: Uint8Array): number {
  return checksumOfUnits(unitChecksums([bytes]), crc32c)
}
