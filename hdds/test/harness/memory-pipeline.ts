/** Three datanodes in memory with one pipeline, on virtual time: their calls are late, fail, or lie, as a script says. */

import type { Clock } from '@o3/common/env'
import { Simulation } from '@o3/common/env/sim'
import { StoreError } from '@o3/common/errors'
import { createMetrics } from '@o3/common/metrics'
import type { Metrics } from '@o3/common/metrics'
import { asAnswer } from '@o3/common/rpc'
import type { BlockId, ContainerId, ContainerPlace, DatanodeId, ScmLocationProtocol } from '@o3/scm/api'
import { BlockClient } from '../../src/client/client.ts'
import type { BlockClientOptions, BlockReplica } from '../../src/client/client.ts'
import type { AgreedBlock, BlockReceipt, BlockWriter, ReadAccess, ReadRange, ReplicaAccess } from '../../src/api/api.ts'

export type Step = 'writeBlock' | 'openWriter' | 'write' | 'commit' | 'agreeBlock' | 'read' | 'piece' | 'readSmall'

/** What happens to one step at one datanode. */
export interface Fate {
  readonly delayMs?: number
  /** Instead of doing it. */
  readonly error?: StoreError
  /** It is done, and then this is said. */
  readonly errorAfter?: StoreError
  /** No answer until the caller gives up, or the wire does. */
  readonly silent?: boolean
  /** Of reads: fewer bytes than were asked for, and no error. */
  readonly truncated?: boolean
  /** Of commits: another checksum. */
  readonly rotten?: boolean
}

export type Script = (step: Step, block: BlockId) => Fate | undefined

export const textOf = ({ container, local }: BlockId): string => `${container}/${local}`
export const said = (code: StoreError['code'], details: Record<string, string> = {}): StoreError =>
  asAnswer(new StoreError(code, `it is ${code}`, { details }))
export const broken = (code: StoreError['code'] = 'Unavailable'): StoreError =>
  new StoreError(code, 'the connection is broken')

/** After which the wire gives up a call that is not answered. */
const wireDeadlineMs = 60_000
const pieceBytes = 64 * 1024

/** Not a CRC, but as telling. */
export function checksumOf(bytes: Uint8Array): number {
  let sum = bytes.length
  for (const byte of bytes) sum = (Math.imul(sum, 31) + byte) | 0
  return sum >>> 0
}

/** The Raft group, as far as its clients see it. */
export class MemoryGroup {
  readonly replicas: MemoryReplica[] = []
  leader: DatanodeId | undefined = 'a'
  /** What followers say of the leader; they may be behind. */
  named: DatanodeId | undefined = 'a'
  readonly closed = new Set<ContainerId>()
  readonly agreed = new Map<string, AgreedBlock>()

  get up(): readonly MemoryReplica[] {
    return this.replicas.filter(({ isUp }) => isUp)
  }

  assertLeads(replica: MemoryReplica, { container }: BlockId): void {
    if (this.leader !== replica.id) throw said('NotLeader', this.named === undefined ? {} : { leader: this.named })
    if (this.closed.has(container)) throw said('Unavailable')
    // It has put the entry into its own log, and steps down.
    if (this.up.length * 2 <= this.replicas.length) throw said('OutcomeUnknown')
  }
}

export class MemoryReplica implements Pick<
  BlockReplica,
  'writeBlock' | 'openWriter' | 'agreeBlock' | 'read' | 'readSmall'
> {
  readonly id: DatanodeId
  readonly blocks = new Map<string, Uint8Array>()
  readonly rotten = new Set<string>()
  isUp = true
  script: Script = () => undefined
  openWriters = 0
  openReads = 0
  /** Pieces of streams that were read after their owner had them back: a datanode in this process would have written them. */
  spoiledWrites = 0
  readonly calls: Step[] = []
  private readonly group: MemoryGroup
  private readonly clock: Clock

  constructor(id: DatanodeId, { group, clock }: { readonly group: MemoryGroup; readonly clock: Clock }) {
    this.id = id
    this.group = group
    this.clock = clock
    group.replicas.push(this)
  }

  async writeBlock(block: BlockId, pieces: readonly Uint8Array[], access?: ReplicaAccess): Promise<BlockReceipt> {
    if (access?.pipeline === undefined) throw said('InvalidArgument')
    return await this.step('writeBlock', { block, pieces }, (bytes) => {
      this.group.assertLeads(this, block)
      for (const replica of this.group.up) replica.take(block, bytes)
      return this.receipt(block, bytes)
    })
  }

  async openWriter(block: BlockId): Promise<BlockWriter> {
    return await this.step('openWriter', { block }, () => {
      if (this.group.closed.has(block.container)) throw said('Unavailable')
      this.openWriters++
      return new MemoryWriter(this, block)
    })
  }

  async agreeBlock(agreed: AgreedBlock): Promise<void> {
    const { block } = agreed
    await this.step('agreeBlock', { block }, () => {
      this.group.assertLeads(this, block)
      this.group.agreed.set(textOf(block), agreed)
      const holder = this.group.replicas.find(({ id, isUp }) => isUp && agreed.holders.includes(id))
      const bytes = holder?.blocks.get(textOf(block))
      if (bytes !== undefined) for (const replica of this.group.up) replica.take(block, bytes)
    })
  }

  async readSmall(block: BlockId, range: ReadRange, { signal }: ReadAccess = {}): Promise<Uint8Array> {
    const ended = new AbortController()
    signal?.addEventListener('abort', () => ended.abort(signal.reason))
    this.openReads++
    try {
      return await this.step('readSmall', { block, signal: ended.signal }, () => this.bytesOf(block, range).slice())
    } finally {
      this.openReads--
    }
  }

  read(block: BlockId, range: ReadRange): AsyncIterableIterator<Uint8Array, undefined> {
    return new MemoryPieces(this, block, range)
  }

  /** One step as its fate wants it. The bytes are taken when it is done: until then the caller's memory is read. */
  async step<T>(
    step: Step,
    { block, pieces = [], signal }: StepOptions,
    act: (bytes: Uint8Array, fate: Fate) => T,
  ): Promise<T> {
    this.calls.push(step)
    if (!this.isUp) throw broken()
    const sums = pieces.map(checksumOf)
    const fate = this.script(step, block) ?? {}
    await this.pause(fate.silent === true ? wireDeadlineMs : (fate.delayMs ?? 0.1), signal)
    if (fate.silent === true) throw broken()
    if (!this.isUp) throw broken(step === 'writeBlock' || step === 'agreeBlock' ? 'OutcomeUnknown' : 'Unavailable')
    if (fate.error !== undefined) throw fate.error
    // As the wire does: what is not what was sent is refused.
    if (pieces.some((piece, i) => checksumOf(piece) !== sums[i])) {
      if (step === 'write') this.spoiledWrites++
      throw said('DigestMismatch')
    }
    const result = act(Buffer.concat(pieces), fate)
    if (fate.errorAfter !== undefined) throw fate.errorAfter
    return result
  }

  take(block: BlockId, bytes: Uint8Array): void {
    const known = this.blocks.get(textOf(block))
    if (known !== undefined && Buffer.compare(known, bytes) !== 0) throw said('InvalidArgument')
    this.blocks.set(textOf(block), Uint8Array.from(bytes))
  }

  receipt(block: BlockId, bytes: Uint8Array): BlockReceipt {
    const proofs = [new TextEncoder().encode(this.id)]
    return { block, lengthBytes: bytes.length, datanodes: [this.id], checksum: checksumOf(bytes), proofs }
  }

  bytesOf(block: BlockId, { offset, length }: ReadRange): Uint8Array {
    const bytes = this.blocks.get(textOf(block))
    if (bytes === undefined) throw said('BlockNotFound')
    if (offset + length > bytes.length) throw said('InvalidRange')
    if (this.rotten.has(textOf(block))) throw said('Damaged', { path: this.id })
    return bytes.subarray(offset, offset + length)
  }

  private pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
    return this.clock.sleep(ms, signal)
  }
}

interface StepOptions {
  readonly block: BlockId
  readonly pieces?: readonly Uint8Array[]
  readonly signal?: AbortSignal
}

class MemoryWriter implements BlockWriter {
  readonly block: BlockId
  private readonly replica: MemoryReplica
  private readonly pieces: Uint8Array[] = []
  private readonly ended = new AbortController()
  private isOver = false

  constructor(replica: MemoryReplica, block: BlockId) {
    this.replica = replica
    this.block = block
  }

  async write(pieces: readonly Uint8Array[]): Promise<void> {
    const { signal } = this.ended
    await this.orEnd(
      this.replica.step('write', { block: this.block, pieces, signal }, (bytes) => this.pieces.push(bytes)),
    )
  }

  async commit(): Promise<BlockReceipt> {
    const { replica, block } = this
    const { signal } = this.ended
    return await this.orEnd(
      replica.step('commit', { block, signal }, (_, { rotten }) => {
        const bytes = Buffer.concat(this.pieces)
        replica.take(block, bytes)
        this.end()
        const receipt = replica.receipt(block, bytes)
        return rotten === true ? { ...receipt, checksum: 1 } : receipt
      }),
    )
  }

  abort(): Promise<void> {
    this.end()
    this.ended.abort(new StoreError('Aborted', 'the block was given up'))
    return Promise.resolve()
  }

  private async orEnd<T>(step: Promise<T>): Promise<T> {
    if (this.isOver) throw new StoreError('Aborted', 'the block was given up')
    try {
      return await step
    } catch (error) {
      this.end()
      throw error
    }
  }

  private end(): void {
    if (!this.isOver) this.replica.openWriters--
    this.isOver = true
  }
}

/** Every piece comes in the same buffer, which is overwritten by the next. */
class MemoryPieces implements AsyncIterableIterator<Uint8Array, undefined> {
  private readonly replica: MemoryReplica
  private readonly block: BlockId
  private readonly range: ReadRange
  private readonly buffer = new Uint8Array(pieceBytes)
  private readonly ended = new AbortController()
  private at = 0
  private state: 'new' | 'open' | 'over' = 'new'

  constructor(replica: MemoryReplica, block: BlockId, range: ReadRange) {
    this.replica = replica
    this.block = block
    this.range = range
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  async next(): Promise<IteratorResult<Uint8Array, undefined>> {
    if (this.state === 'over') return { done: true, value: undefined }
    const isFirst = this.state === 'new'
    if (isFirst) this.replica.openReads++
    this.state = 'open'
    try {
      const { signal } = this.ended
      return await this.replica.step(isFirst ? 'read' : 'piece', { block: this.block, signal }, (_, fate) =>
        this.take(fate),
      )
    } catch (error) {
      this.end()
      throw error
    }
  }

  return(): Promise<IteratorResult<Uint8Array, undefined>> {
    this.end()
    this.buffer.fill(0xee)
    this.ended.abort(new StoreError('Aborted', 'the read was given up'))
    return Promise.resolve({ done: true, value: undefined })
  }

  private take({ truncated }: Fate): IteratorResult<Uint8Array, undefined> {
    const bytes = this.replica.bytesOf(this.block, this.range)
    this.buffer.fill(0xee)
    const count = Math.min(pieceBytes, bytes.length - this.at)
    if (count === 0 || truncated === true) {
      this.end()
      return { done: true, value: undefined }
    }
    this.buffer.set(bytes.subarray(this.at, this.at + count))
    this.at += count
    return { done: false, value: this.buffer.subarray(0, count) }
  }

  private end(): void {
    if (this.state === 'open') this.replica.openReads--
    this.state = 'over'
  }
}

export interface PipelineScene {
  readonly simulation: Simulation
  readonly clock: Clock
  readonly group: MemoryGroup
  readonly replicas: readonly [MemoryReplica, MemoryReplica, MemoryReplica]
  readonly client: BlockClient
  readonly metrics: Metrics
  /** What SCM says from now on, of every container. */
  place: Omit<ContainerPlace, 'container'>
  readonly located: ContainerId[]
  /** Of `o3_hdds_client_<name>_total`. */
  counted(name: string): number
  elapsedMs(): number
}

export interface SceneOptions extends Partial<Pick<BlockClientOptions, 'patience' | 'local' | 'rack' | 'encoded'>> {
  readonly seed?: string | number
}

export const pipelinePlace: Omit<ContainerPlace, 'container'> = {
  state: 'OPEN',
  replication: 'RATIS/THREE',
  pipeline: 'p1',
  replicas: ['a', 'b', 'c'].map((datanode) => ({ datanode, address: `${datanode}:1`, rack: `/${datanode}` })),
  ec: undefined,
}

/** Runs the script on virtual time; afterwards no writer and no read may be open anywhere. */
export async function withPipeline(
  script: (scene: PipelineScene) => Promise<void>,
  { seed = 1, ...options }: SceneOptions = {},
): Promise<void> {
  const simulation = new Simulation({ seed })
  const { clock, random } = simulation
  const group = new MemoryGroup()
  const make = (id: DatanodeId): MemoryReplica => new MemoryReplica(id, { group, clock })
  const replicas = [make('a'), make('b'), make('c')] as const
  const metrics = createMetrics()
  const located: ContainerId[] = []
  const startMs = clock.monotonicMs()
  const scene: PipelineScene = {
    simulation,
    clock,
    group,
    replicas,
    metrics,
    located,
    place: pipelinePlace,
    client: new BlockClient({
      env: { clock, random },
      metrics,
      datanode: (id) => replicas.find((replica) => replica.id === id) as unknown as BlockReplica | undefined,
      locations: {
        locate: (container) => {
          located.push(container)
          return Promise.resolve({ container, ...scene.place })
        },
      } satisfies ScmLocationProtocol,
      ...options,
    }),
    counted: (name) => Number(new RegExp(`^o3_hdds_client_${name}_total (\\d+)`, 'm').exec(metrics.render())?.[1]),
    elapsedMs: () => clock.monotonicMs() - startMs,
  }
  await simulation.run(async () => {
    await script(scene)
    // What was left to end by itself has done so by then.
    await clock.sleep(2 * wireDeadlineMs)
    for (const { id, openWriters, openReads, spoiledWrites } of replicas) {
      if (spoiledWrites !== 0) throw new Error(`${spoiledWrites} writes at ${id} have read memory that was used again`)
      if (openWriters !== 0) throw new Error(`${openWriters} writers are left open at ${id}`)
      if (openReads !== 0) throw new Error(`${openReads} reads are left open at ${id}`)
    }
  })
}
