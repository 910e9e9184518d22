/** A streamed block at all members of a pipeline at once. */

import type { Clock } from '@o3/common/env'
import { StoreError, isStoreError } from '@o3/common/errors'
import { withinDeadline } from '@o3/common/lifecycle'
import type { BlockId, DatanodeId } from '@o3/scm/api'
import { maxChunkBytes } from '../api/api.ts'
import type { AgreedBlock, BlockReceipt, BlockWriter, Datanode, ReplicaAccess } from '../api/api.ts'
import { failed, isAvoided } from '../core/replica-order.ts'
import { checksumOf } from '../rpc/arrival.ts'
import { totalLength } from '../storage/checksum.ts'
import type { ClientMetrics } from './client-metrics.ts'
import { isFaultOf } from './container-places.ts'
import type { KnownDatanode } from './container-places.ts'
import { gatherQuorum } from './quorum.ts'
import type { Gathered, Outcome } from './quorum.ts'

export interface PipelineWriterOptions {
  readonly clock: Clock
  readonly metrics: ClientMetrics
  readonly block: BlockId
  readonly access: ReplicaAccess & Required<Pick<ReplicaAccess, 'pipeline'>>
  readonly members: readonly StreamMember[]
  /** The datanode of this process. */
  readonly local: DatanodeId | undefined
  /** Has the leader agree to the block. */
  readonly agree: (agreed: AgreedBlock) => Promise<void>
  /** What the members of one block may be late, all waits together, beyond as long again as the majority took. */
  readonly graceMs: number
  /** For a majority to take the block, before any byte is sent. */
  readonly openMs: number
  /** For a majority to take one step of it. */
  readonly deadlineMs: number
}

export interface StreamMember {
  readonly known: KnownDatanode
  /** Undefined when it is not known: one that is lost from the beginning. */
  readonly datanode: Datanode | undefined
}

/** How long an end is waited for at a member that may be silent. */
const abortMs = 1_000

interface Lane {
  readonly member: StreamMember
  readonly writer: BlockWriter
}

/**
 * Resolves when a majority has taken the block. Who has failed lately is not waited for beyond that. Rejects with what the
 * members refuse the request for, or `Unavailable` (also when the container is closed at one of them), `OutOfSpace`.
 */
export async function openPipelineWriter(options: PipelineWriterOptions): Promise<BlockWriter> {
  const { clock, block, access, members, metrics, graceMs, openMs } = options
  const steps = members.map(async ({ known, datanode }) => {
    if (datanode === undefined) throw new StoreError('Unavailable', `datanode ${known.id} is not known here`)
    return await datanode.openWriter(block, access)
  })
  const nowMs = clock.monotonicMs()
  const trusted = members.map(({ known }) => !isAvoided(known.standing, nowMs))
  const needed = majorityOf(members)
  const { outcomes } = await gatherQuorum(steps, {
    clock,
    needed,
    deadlineMs: openMs,
    graceMs: () => graceMs,
    isAwaited: (index) => trusted[index] === true,
    endsAll: isClosed,
  })
  const closed = closedAt(outcomes)
  const lanes: Lane[] = []
  for (const [index, outcome] of outcomes.entries()) {
    const member = members[index] as StreamMember
    if (outcome.kind === 'done') lanes.push({ member, writer: outcome.value })
    else if (outcome.kind === 'failed') noteFailure(options, member, outcome.error)
    else {
      abandon(steps[index] as Promise<BlockWriter>)
      // Who was not waited for has not failed once more.
      if (trusted[index] === true && closed === undefined) noteSilence(options, member)
    }
  }
  if (closed === undefined && lanes.length >= needed) {
    metrics.lostMembers.add(members.length - lanes.length)
    return new PipelineWriter(options, lanes)
  }
  await endAll(clock, lanes)
  throw closed ?? lostMajority(outcomes)
}

/**
 * Where one member's container takes no new block the others' are about to close. Their leader waits for the streams that it has
 * itself, and for no other: a block without it would be refused when all of its bytes are written, and are here no more.
 */
function isClosed(error: unknown): error is StoreError {
  return isStoreError(error, 'Unavailable') && error.details['state'] === 'CLOSED'
}

function closedAt(outcomes: readonly Outcome<unknown>[]): StoreError | undefined {
  for (const outcome of outcomes) if (outcome.kind === 'failed' && isClosed(outcome.error)) return outcome.error
  return undefined
}

/**
 * `write` resolves when no member refers to the pieces any more: the majority has taken them, and so have the others, or they
 * were left. Others are waited for as long as their delays in this block come to no more than `graceMs` and the time that the
 * majority took itself: a disk that syncs may hiccup, a member that is half as fast may be kept, and a dead one costs
 * `graceMs` once. Nothing is copied or queued for a member that is behind: it is cheaper to leave it, for it fetches the
 * block from the others when it learns that they agreed, and a queue for each of many streams would be the memory of the
 * process.
 *
 * `commit` resolves when the block is durable on a majority and the pipeline's log says so. With fewer members than that
 * every call rejects with `Unavailable`, and the block is garbage: nobody agreed to it.
 */
class PipelineWriter implements BlockWriter {
  readonly block: BlockId
  private readonly options: PipelineWriterOptions
  private readonly needed: number
  private lanes: readonly Lane[]
  private lengthBytes = 0
  private state: 'open' | 'busy' | 'over' = 'open'
  /** What the majority took so far, and what was waited beyond it. */
  private elapsedMs = 0
  private waitedMs = 0

  constructor(options: PipelineWriterOptions, lanes: readonly Lane[]) {
    this.options = options
    this.block = options.block
    this.lanes = lanes
    this.needed = majorityOf(options.members)
  }

  async write(pieces: readonly Uint8Array[]): Promise<void> {
    await this.exclusively(async () => {
      // Once for all members, over bytes that nobody touches until they have them.
      const known = totalLength(pieces) <= maxChunkBytes ? { whole: checksumOf(pieces) } : undefined
      const outcomes = await this.atAll(({ writer }) => writer.write(pieces, known))
      await this.keep(outcomes, 'leave-late')
      for (const { length } of pieces) this.lengthBytes += length
    })
  }

  async commit(): Promise<BlockReceipt> {
    return await this.exclusively(async () => {
      const outcomes = await this.atAll(({ writer }) => writer.commit())
      // One that is late goes on: it has all the bytes, and what it makes durable need not be fetched.
      await this.keep(outcomes, 'let-late-end')
      const receipts = outcomes.flatMap((outcome) => (outcome.kind === 'done' ? [outcome.value] : []))
      const { access, block, agree } = this.options
      const { lengthBytes, pipeline } = { lengthBytes: this.lengthBytes, pipeline: access.pipeline }
      const checksum = commonChecksum(receipts, lengthBytes)
      const holders = receipts.flatMap(({ datanodes }) => datanodes)
      await agree({ pipeline, block, lengthBytes, checksum, holders })
      this.state = 'over'
      const proofs = receipts.flatMap(({ proofs: own = [] }) => own)
      return {
        block,
        lengthBytes,
        datanodes: holders,
        checksum,
        ...(proofs.length === holders.length ? { proofs } : {}),
      }
    })
  }

  async abort(): Promise<void> {
    this.state = 'over'
    const { lanes } = this
    this.lanes = []
    await endAll(this.options.clock, lanes)
  }

  private async atAll<T>(step: (lane: Lane) => Promise<T>): Promise<readonly Outcome<T>[]> {
    const { clock, graceMs, deadlineMs } = this.options
    const gathered: Gathered<T> = await gatherQuorum(
      this.lanes.map((lane) => step(lane)),
      {
        clock,
        needed: this.needed,
        deadlineMs,
        graceMs: (elapsedMs) => Math.max(0, graceMs + this.elapsedMs + elapsedMs - this.waitedMs),
      },
    )
    // Aborted meanwhile: that is why the members failed.
    if (this.isOver()) throw given()
    this.elapsedMs += gathered.elapsedMs
    this.waitedMs += gathered.waitedMs
    return gathered.outcomes
  }

  /** Goes on with those that are done. */
  private async keep(outcomes: readonly Outcome<unknown>[], late: 'leave-late' | 'let-late-end'): Promise<void> {
    const { lanes, options } = this
    const kept = lanes.filter((_, index) => outcomes[index]?.kind === 'done')
    const lost = lanes.filter((_, index) => outcomes[index]?.kind !== 'done')
    this.lanes = kept
    options.metrics.lostMembers.add(lost.length)
    // One that is late has answered before: slow, and not gone. If it is, the next block cannot be opened there.
    for (const [index, outcome] of outcomes.entries()) {
      if (outcome.kind === 'failed') noteFailure(options, (lanes[index] as Lane).member, outcome.error)
    }
    const enough = kept.length >= this.needed
    const ended = enough && late === 'let-late-end' ? lanes.filter((_, i) => outcomes[i]?.kind === 'failed') : lost
    // When it has ended nothing reads the caller's memory. A member of this process is waited for; one of another process is
    // cut off here, whatever it does there.
    await Promise.allSettled(ended.map(({ writer }) => writer.abort()))
    if (!enough) throw lostMajority(outcomes)
  }

  private isOver(): boolean {
    return this.state === 'over'
  }

  private async exclusively<T>(action: () => Promise<T>): Promise<T> {
    if (this.isOver()) throw given()
    if (this.state === 'busy') throw new StoreError('InvalidArgument', 'one call of a block writer at a time')
    this.state = 'busy'
    try {
      const result = await action()
      if (this.state === 'busy') this.state = 'open'
      return result
    } catch (error) {
      await this.abort()
      throw error
    }
  }
}

function given(): StoreError {
  return new StoreError('Aborted', 'the block was given up, or is committed')
}

/** Equal at all, and of all that was written. `Damaged` otherwise: then bytes changed on their way into some file. */
function commonChecksum(receipts: readonly BlockReceipt[], lengthBytes: number): number {
  const checksum = receipts[0]?.checksum
  if (checksum === undefined || receipts.some((receipt) => receipt.checksum === undefined)) {
    throw new StoreError('Incompatible', 'a member of the pipeline has committed a block without a checksum')
  }
  if (receipts.every((receipt) => receipt.checksum === checksum && receipt.lengthBytes === lengthBytes)) return checksum
  const { container, local } = receipts[0]?.block ?? { container: 0, local: 0 }
  throw new StoreError('Damaged', 'the members of the pipeline have different bytes of one block', {
    details: { container, local },
  })
}

function majorityOf(members: readonly StreamMember[]): number {
  return Math.floor(members.length / 2) + 1
}

/** What the request itself is refused for; else that the block is to be written elsewhere. */
function lostMajority(outcomes: readonly Outcome<unknown>[]): StoreError {
  const failures: StoreError[] = []
  for (const outcome of outcomes) {
    if (outcome.kind !== 'failed') continue
    if (!(outcome.error instanceof StoreError)) throw outcome.error
    failures.push(outcome.error)
  }
  const refused = failures.find(({ category, code }) => category === 'denied' || code === 'InvalidArgument')
  if (refused !== undefined) return refused
  const [cause] = failures
  if (cause !== undefined && failures.every(({ code }) => code === 'OutOfSpace')) return cause
  const message = 'too few members of the pipeline take the block'
  return new StoreError('Unavailable', message, cause === undefined ? {} : { cause, details: cause.details })
}

function noteFailure(options: PipelineWriterOptions, member: StreamMember, error: unknown): void {
  if (isFaultOf(member.known, error, options.local)) noteSilence(options, member)
}

function noteSilence({ clock }: PipelineWriterOptions, { known }: StreamMember): void {
  known.standing = failed(known.standing, clock.monotonicMs())
}

/** It may open yet: then it is ended. That it does not is what it was left for. */
function abandon(opening: Promise<BlockWriter>): void {
  opening.then((writer) => writer.abort()).catch(ignore)
}

async function endAll(clock: Clock, lanes: readonly Lane[]): Promise<void> {
  const ending = Promise.allSettled(lanes.map(({ writer }) => writer.abort()))
  // A member that is silent ends the block when its caller is gone.
  await withinDeadline(clock, abortMs, 'the end of a block', ending).catch(ignore)
}

function ignore(): void {}
