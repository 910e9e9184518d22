/** Clients that write through a pipeline while its members die, are cut off and are slow; and what must hold afterwards. */

import type { SimRandom } from '@o3/common/env/sim'
import { isStoreError } from '@o3/common/errors'
import type { BlockId, ContainerReport } from '@o3/scm/api'
import type { BlockReceipt, BlockWriter } from '../../src/api/api.ts'
import { auditDatanode } from './audit.ts'
import { patternOf, sameBytes } from './bytes.ts'
import { collect } from './expect-error.ts'
import { PipelineCluster } from './pipeline-cluster.ts'
import type { ClusterMember, PipelineClusterOptions } from './pipeline-cluster.ts'

export interface PipelineTrialOptions extends PipelineClusterOptions {
  /** Of virtual time, before everything heals. Default 8,000. */
  readonly durationMs?: number
  /** Default 4. */
  readonly clients?: number
}

const KiB = 1024
const pipeline = 'p-1'
const through = { pipeline }

/** What a client was told. */
interface Acknowledged {
  readonly block: BlockId
  readonly bytes: Uint8Array
}

/** Counted, so that a test can see that it tested something. */
export interface TrialCounts {
  acknowledged: number
  streamed: number
  reads: number
  deaths: number
  closed: number
  quasiClosed: number
}

/** Throws at the first broken promise. */
export async function runPipelineTrial(options: PipelineTrialOptions): Promise<TrialCounts> {
  const cluster = new PipelineCluster({ ...options, pipeline: { keptLogBytes: 16 * KiB * KiB, ...options.pipeline } })
  const trial = new PipelineTrial(cluster, options)
  await cluster.run(() => trial.run())
  return trial.counts
}

class PipelineTrial {
  readonly counts: TrialCounts = { acknowledged: 0, streamed: 0, reads: 0, deaths: 0, closed: 0, quasiClosed: 0 }
  private readonly cluster: PipelineCluster
  private readonly options: PipelineTrialOptions
  private readonly random: SimRandom
  private readonly acknowledged: Acknowledged[] = []
  private readonly closedAs = new Map<string, string>()
  private container = 1
  private nextLocal = 1
  private isOver = false

  constructor(cluster: PipelineCluster, options: PipelineTrialOptions) {
    this.cluster = cluster
    this.options = options
    this.random = cluster.simulation.random.fork('trial')
  }

  async run(): Promise<void> {
    const { durationMs = 8_000, clients = 4 } = this.options
    const { cluster } = this
    await cluster.createPipeline(pipeline)
    await cluster.elected(pipeline)
    const loops = Array.from({ length: clients }, () => this.loop(() => this.operate()))
    loops.push(this.loop(() => this.harm()))
    await this.pass(durationMs)
    this.isOver = true
    await Promise.all(loops)
    await this.judge()
  }

  private async loop(action: () => Promise<void>): Promise<void> {
    while (!this.isOver) await action()
  }

  private pass(ms: number): Promise<void> {
    return this.cluster.simulation.clock.sleep(ms)
  }

  // ----------------------------------------------------------------------------------------------------- clients

  private async operate(): Promise<void> {
    await this.pass(this.random.below(30))
    const dice = this.random.below(100)
    if (dice < 55) await this.write()
    else if (dice < 75) await this.stream()
    else if (dice < 97) await this.read()
    else await this.close(this.container++)
  }

  private newBlock(): BlockId {
    return { container: this.container, local: this.nextLocal++ }
  }

  private async write(): Promise<void> {
    const block = this.newBlock()
    const bytes = patternOf(block.local, this.random.below(8 * KiB))
    const isAcknowledged = await this.atLeader(({ datanode }) => datanode.writeBlock(block, [bytes], through))
    if (isAcknowledged) this.note(block, bytes)
  }

  private async stream(): Promise<void> {
    const block = this.newBlock()
    const bytes = patternOf(block.local, this.random.below(200 * KiB))
    const members = [...this.cluster.up.values()]
    const receipts = new Map<string, BlockReceipt>()
    await Promise.all(
      members.map(async (member) => {
        const receipt = await this.streamInto(member, block, bytes)
        if (receipt !== undefined) receipts.set(member.id, receipt)
      }),
    )
    const [receipt] = receipts.values()
    // Some clients die before they can say so.
    if (receipt === undefined || receipts.size < 2 || this.random.chance(0.1)) return
    const { lengthBytes, checksum = -1 } = receipt
    const agreed = { pipeline, block, lengthBytes, checksum, holders: [...receipts.keys()] }
    if (!(await this.atLeader(({ datanode }) => datanode.agreeBlock(agreed)))) return
    this.counts.streamed++
    this.note(block, bytes)
  }

  /** Undefined when the member fails, or the client leaves it behind. */
  private async streamInto(
    { node, process, datanode }: ClusterMember,
    block: BlockId,
    bytes: Uint8Array,
  ): Promise<BlockReceipt | undefined> {
    let writer: BlockWriter | undefined
    const work = async (): Promise<BlockReceipt | undefined> => {
      writer = await datanode.openWriter(block, through)
      const half = bytes.length >> 1
      for (const piece of [bytes.subarray(0, half), bytes.subarray(half)]) {
        if (piece.length > 0) await writer.write([piece])
        if (this.random.chance(0.1)) return void (await writer.abort())
      }
      return await writer.commit()
    }
    try {
      const outcome = await process.whileUp(work())
      return outcome === 'down' ? undefined : outcome
    } catch (error) {
      if (!isStoreError(error)) throw error
      if (node.isUp && node.process === process) await process.whileUp(writer?.abort() ?? Promise.resolve())
      return undefined
    }
  }

  /** False: nobody said that it was done. The same is asked again while that is not known. */
  private async atLeader(action: (member: ClusterMember) => Promise<unknown>): Promise<boolean> {
    for (let attempt = 0; attempt < 12; attempt++) {
      const leader = this.cluster.leader(pipeline)
      try {
        if (leader !== undefined && (await leader.process.whileUp(action(leader))) !== 'down') return true
      } catch (error) {
        if (!isStoreError(error, 'NotLeader', 'OutcomeUnknown', 'Busy', 'Closed')) {
          if (!isStoreError(error, 'Unavailable', 'Aborted', 'ContainerNotFound')) throw error
          return false
        }
      }
      await this.pass(50 + this.random.below(200))
    }
    return false
  }

  private note(block: BlockId, bytes: Uint8Array): void {
    this.acknowledged.push({ block, bytes })
    this.counts.acknowledged++
  }

  /** Any member, at any time: the bytes, or that it cannot say. */
  private async read(): Promise<void> {
    const known = this.acknowledged[this.random.below(Math.max(1, this.acknowledged.length))]
    const members = [...this.cluster.up.values()]
    const member = members[this.random.below(Math.max(1, members.length))]
    if (known === undefined || member === undefined) return
    const { datanode, process } = member
    const { block, bytes } = known
    try {
      const found = await process.whileUp(collect(datanode.read(block, { offset: 0, length: bytes.length })))
      if (found === 'down') return
      if (!sameBytes(found, bytes))
        throw new Error(`${member.id} gives other bytes of ${block.container}/${block.local}`)
      this.counts.reads++
    } catch (error) {
      if (!isStoreError(error)) throw error
      if (isStoreError(error, 'Unavailable', 'Closed', 'ContainerNotFound')) return
      if (isStoreError(error, 'BlockNotFound') && this.reportOf(member, block.container)?.state === 'QUASI_CLOSED')
        return
      throw new Error(`${member.id} has not the acknowledged block ${block.container}/${block.local}`, { cause: error })
    }
  }

  private async close(container: number): Promise<void> {
    await this.atLeader(({ datanode }) => datanode.closeContainer(container))
  }

  // ------------------------------------------------------------------------------------------------------- harm

  private async harm(): Promise<void> {
    const { cluster, random } = this
    await this.pass(100 + random.below(600))
    const id = cluster.ids[random.below(cluster.ids.length)] ?? ''
    if (this.isOver || !cluster.up.has(id)) return
    switch (random.below(5)) {
      case 0:
        return await this.death(id, () => cluster.crash(id))
      case 1:
        return await this.death(id, () => cluster.kill(id))
      case 2:
        return await this.death(id, () => cluster.stop(id))
      case 3: {
        const heal = cluster.isolate(id)
        await this.pass(random.below(2_000))
        return heal()
      }
      default: {
        cluster.slowness.set(id, 1 + random.below(30))
        await this.pass(random.below(2_000))
        cluster.slowness.delete(id)
      }
    }
  }

  private async death(id: string, die: () => void | Promise<void>): Promise<void> {
    this.counts.deaths++
    await die()
    await this.pass(this.random.below(1_500))
    await this.cluster.start(id)
  }

  // -------------------------------------------------------------------------------------------------- afterwards

  private async judge(): Promise<void> {
    const { cluster } = this
    cluster.slowness.clear()
    for (const id of cluster.ids) if (!cluster.up.has(id)) await cluster.start(id)
    await cluster.elected(pipeline)
    const members = [...cluster.up.values()]
    for (const { id, datanode } of members) {
      const [report] = datanode.pipelines()
      if (report?.state !== 'open') throw new Error(`the pipeline is ${report?.state} at ${id}`)
    }
    this.noteClosed(members)
    for (let container = 1; container <= this.container; container++) await this.closeForGood(container, members)
    this.noteClosed(members)
    for (const known of this.acknowledged) await this.expectEverywhere(known, members)
    for (let container = 1; container <= this.container; container++) this.expectAlike(container, members)
    for (const { datanode } of members) await auditDatanode(datanode)
  }

  private async closeForGood(container: number, members: readonly ClusterMember[]): Promise<void> {
    // One that nothing was acknowledged of may be unknown to who leads.
    if (!this.acknowledged.some(({ block }) => block.container === container)) return
    await this.cluster.until(`container ${container} is closed`, async () => {
      await this.close(container)
      return members.every((member) => !['OPEN', undefined].includes(this.reportOf(member, container)?.state))
    })
  }

  private async expectEverywhere({ block, bytes }: Acknowledged, members: readonly ClusterMember[]): Promise<void> {
    let copies = 0
    for (const member of members) {
      const { id, datanode } = member
      try {
        const found = await collect(datanode.read(block, { offset: 0, length: bytes.length }))
        if (!sameBytes(found, bytes)) throw new Error(`${id} has other bytes of ${block.container}/${block.local}`)
        copies++
      } catch (error) {
        if (!isStoreError(error, 'BlockNotFound')) throw error
        // Its holders could not be reached while the container was closed: it says that it may lack blocks.
        if (this.reportOf(member, block.container)?.state === 'QUASI_CLOSED') continue
        throw new Error(`${id} has lost the acknowledged block ${block.container}/${block.local}`, { cause: error })
      }
    }
    if (copies < 2) throw new Error(`the acknowledged block ${block.container}/${block.local} is on ${copies} members`)
  }

  private expectAlike(container: number, members: readonly ClusterMember[]): void {
    const reports = members.map((member) => this.reportOf(member, container)).filter((report) => report !== undefined)
    const closed = reports.filter(({ state }) => state === 'CLOSED')
    this.counts.closed += closed.length
    this.counts.quasiClosed += reports.length - closed.length
    const hashes = new Set(closed.map(({ contentHash }) => contentHash))
    if (hashes.size > 1) throw new Error(`the replicas of container ${container} differ: ${[...hashes].join(' ')}`)
  }

  private noteClosed(members: readonly ClusterMember[]): void {
    for (const { id, datanode } of members) {
      for (const report of datanode.containers()) {
        const key = `${id} ${report.id}`
        const before = this.closedAs.get(key)
        const now = `${report.state} ${report.contentHash} ${report.blockCount}`
        if (before !== undefined && before !== now) throw new Error(`${key} was ${before} and is ${now}`)
        if (report.state === 'CLOSED') this.closedAs.set(key, now)
      }
    }
  }

  private reportOf({ datanode }: ClusterMember, container: number): ContainerReport | undefined {
    return datanode.containers().find(({ id }) => id === container)
  }
}
