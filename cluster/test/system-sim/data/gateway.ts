import { isStoreError } from '@o3/common/errors'
import type { SimProcess } from '@o3/common/env/sim'
import { trustedClient, type GroupClient } from '@o3/common/rpc'
import { BlockClient, DatanodeDirectory, EcReader, WasmErasureCode } from '@o3/hdds/client'
import type { Extent, Key, Lease, LeaseId } from '@o3/om/api'
import { RemoteOm } from '@o3/om/client'
import type { BlockId, ReplicationConfig } from '@o3/scm/api'
import { RemoteScm } from '@o3/scm/client'
import { insist } from '../insist.ts'
import { groupClient } from '../services.ts'
import type { DataWorld } from './data-world.ts'

/** A body as OM is to be told of it. */
export interface WrittenBody {
  readonly lease: LeaseId
  readonly extents: readonly Extent[]
}

export interface LeasedBlock {
  readonly block: BlockId
  readonly lease: LeaseId
  readonly token: Uint8Array | undefined
}

/** Blocks that were written to no avail, before a body is given up. */
const mostAttempts = 4

/** A machine with what a gateway has to do with bytes: OM, SCM, and the block client, all over the network. */
export class Gateway {
  readonly env: SimProcess
  readonly om: RemoteOm
  readonly scm: RemoteScm
  readonly blocks: BlockClient
  private readonly world: DataWorld
  private readonly groups: readonly GroupClient[]
  private readonly directory: DatanodeDirectory
  private readonly stock = new Map<ReplicationConfig, LeasedBlock[]>()

  constructor(world: DataWorld, name: string) {
    this.world = world
    this.env = world.machine(name)
    const { env } = this
    const om = groupClient(env, 'om', world.om.firstIds, { deadlineMs: 4_000, tryMs: 1_000 })
    const scm = groupClient(env, 'scm', world.scm.firstIds, { deadlineMs: 4_000, tryMs: 1_000 })
    this.groups = [om, scm]
    this.om = new RemoteOm(om)
    this.scm = new RemoteScm(scm)
    this.directory = new DatanodeDirectory({ env, authentication: trustedClient, deadlineMs: 4_000 })
    const datanode = this.directory.find
    this.blocks = new BlockClient({
      env,
      locations: this.scm,
      datanode,
      encoded: (onDegraded) => new EcReader({ datanode, code: new WasmErasureCode(), clock: env.clock, onDegraded }),
    })
  }

  close(): void {
    this.directory.close()
    for (const group of this.groups) group.close()
  }

  /** Undefined: nobody could take it now. */
  async write(bytes: Uint8Array, replication: ReplicationConfig, chunkBytes: number): Promise<WrittenBody | undefined> {
    for (let attempt = 0; attempt < mostAttempts; attempt++) {
      const leased = await this.draw(replication)
      if (leased === undefined) return undefined
      const { block, lease, token } = leased
      const access = token === undefined ? {} : { token }
      try {
        const { proofs } = await this.writeBlock(block, bytes, { access, chunkBytes })
        return { lease, extents: [{ block, length: bytes.length, ...(proofs && { proofs }) }] }
      } catch (error) {
        this.expectBearable(error, `writing block ${block.container}/${block.local}`)
        // Its container is closed, or its pipeline gone: so are the others of the lease.
        this.stock.delete(replication)
      }
    }
    return undefined
  }

  /** All of a key's bytes. Rejects as `BlockClient.read`. */
  async read({ content, access }: Key): Promise<Uint8Array> {
    if (content.kind === 'inline') return content.bytes
    const pieces: Uint8Array[] = []
    for (const segment of content.segments) {
      if (segment.kind === 'inline') pieces.push(segment.bytes)
      else {
        const { block, offset, length } = segment
        const grant = access?.grants.find(({ container, firstLocal, count }) => {
          return container === block.container && block.local >= firstLocal && block.local < firstLocal + count
        })
        const how = grant === undefined ? {} : { token: grant.token }
        for await (const piece of this.blocks.read(block, { offset, length }, how)) pieces.push(piece.slice())
      }
    }
    return Buffer.concat(pieces)
  }

  /** What no healthy cluster says. */
  expectBearable(error: unknown, doing: string): void {
    if (!isStoreError(error)) throw error
    const isOurs = isStoreError(error, 'Internal', 'Incompatible', 'InvalidArgument', 'Damaged')
    // Wall clocks that were set make tokens look old.
    const isDenied = isStoreError(error, 'AccessDenied') && this.world.plan.perMinute['clock-step'] === undefined
    if (isOurs || isDenied) this.world.accuse('sane-answers', `${doing}: ${error.code}, ${error.message}`)
  }

  private async writeBlock(
    block: BlockId,
    bytes: Uint8Array,
    { access, chunkBytes }: { readonly access: { readonly token?: Uint8Array }; readonly chunkBytes: number },
  ): Promise<{ readonly proofs?: readonly Uint8Array[] }> {
    if (bytes.length <= chunkBytes) return await this.blocks.writeBlock(block, [bytes], access)
    const writer = await this.blocks.openWriter(block, access)
    try {
      for (let at = 0; at < bytes.length; at += chunkBytes) await writer.write([bytes.slice(at, at + chunkBytes)])
      return await writer.commit()
    } catch (error) {
      await writer.abort()
      throw error
    }
  }

  private async draw(replication: ReplicationConfig): Promise<LeasedBlock | undefined> {
    const left = this.stock.get(replication)?.shift()
    if (left !== undefined) return left
    const blocks = await this.lease(replication, 4)
    this.stock.set(replication, blocks)
    return blocks.shift()
  }

  /** None: nobody could hand them out now. */
  async lease(replication: ReplicationConfig, count: number): Promise<LeasedBlock[]> {
    const requestId = this.env.random.uuid()
    const request = { holder: this.env.random.uuid(), count, replication }
    const outcome = await insist(this.env.clock, 6_000, () => this.om.leaseBlocks(request, { requestId }))
    if (outcome.kind !== 'answer') return []
    this.world.book.granted(outcome.value)
    return blocksOf(outcome.value)
  }
}

const blocksOf = ({ id, ranges, tokens }: Lease): LeasedBlock[] =>
  ranges.flatMap(({ container, firstLocal, count }, at) =>
    Array.from({ length: count }, (_, n) => ({
      block: { container, local: firstLocal + n },
      lease: id,
      token: tokens?.[at],
    })),
  )

/** A block is not there, or nobody has it sound. */
export const isLoss = (error: unknown): boolean =>
  isStoreError(error, 'BlockNotFound', 'Damaged', 'ContainerNotFound', 'InvalidRange')
