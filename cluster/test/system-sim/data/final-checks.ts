import { isStoreError } from '@o3/common/errors'
import { checkDisk } from '@o3/hdds/module'
import type { ContainerDetails, ContainerInfo } from '@o3/scm/api'
import { insist } from '../insist.ts'
import { encodedBlocks, type EncodedBlocks } from './encoded-blocks.ts'
import { repairBounds } from './small-bounds.ts'
import { firstDifference } from './content-of.ts'
import type { DataWorld } from './data-world.ts'
import type { DatanodeMachine } from './datanode-machine.ts'
import type { Gateway } from './gateway.ts'

/** Datanodes in service, so that a container of EC has a place for each shard. */
const shardPlaces = 5

/** What must hold when nothing goes wrong any more. */
export class FinalChecks {
  private readonly world: DataWorld
  private readonly gateway: Gateway
  /** Containers that were encoded anew. */
  readonly anew = new Set<number>()
  /** Later ones are open, and there may always be such. */
  private last = 0

  constructor(world: DataWorld, gateway: Gateway) {
    this.world = world
    this.gateway = gateway
  }

  /**
   * Every container up to the last that was closed comes to rest within so long: closed, whole, with equal replicas and no others, encoded where
   * it is to be, and with no block that no key is in.
   */
  async expectWholeness(withinMs: number, named: ReadonlyMap<string, Uint8Array>): Promise<void> {
    const { last } = this
    let complaint: string | undefined = 'nobody has looked'
    const isAtRest = async (): Promise<boolean> => {
      complaint = await this.complaint(last, named)
      return complaint === undefined
    }
    await this.world.until('every container is whole', withinMs, isAtRest, () => `(${complaint})`)
  }

  /** All replicas of all blocks that keys are in have the same bytes, and the right ones. */
  async expectEqualBytes(named: ReadonlyMap<string, Uint8Array>): Promise<void> {
    for (const machine of this.world.datanodes) {
      const { datanode } = machine.life ?? {}
      for (const report of datanode?.containers() ?? []) {
        const blocks = (await datanode?.listBlocks(report.id)) ?? []
        if (blocks.length !== report.blockCount) {
          const counted = `${report.blockCount} and are ${blocks.length}`
          this.world.accuse(
            'full-count',
            `the blocks of container ${report.id} at ${machine.id} were counted ${counted}`,
          )
        }
        for (const { block, lengthBytes } of blocks) {
          const expected = named.get(`${block.container}/${block.local}`)
          if (expected !== undefined) await this.expectBytes(machine, { block, lengthBytes }, expected)
        }
      }
    }
  }

  /** Nothing is rotten on any disk, and its index and sums are those of a full count. Of datanodes that are down. */
  async expectSoundDisks(): Promise<void> {
    for (const machine of this.world.datanodes) {
      const { id, node, disks } = machine
      const process = node.boot()
      for (const path of disks) {
        const { problems } = await checkDisk({ env: process, openKv: (at) => machine.openKv(at) }, path)
        if (problems.length > 0) this.world.accuse('full-count', `${id} ${path}: ${JSON.stringify(problems[0])}`)
      }
      node.kill()
    }
  }

  /** Everything is closed that is open, so that it can be judged. */
  async closeAll(): Promise<void> {
    const { env, scm } = this.gateway
    const infos = await this.list()
    this.last = infos.at(-1)?.id ?? 0
    for (const { id, state } of infos) {
      if (state !== 'OPEN') continue
      const requestId = env.random.uuid()
      const outcome = await insist(env.clock, 20_000, () => scm.closeContainer(id, { requestId }))
      // Shards are closed by whoever makes them.
      if (outcome.kind !== 'answer' && outcome.kind !== 'refused')
        this.world.accuse('progress', `container ${id} cannot be closed`)
    }
  }

  private async list(): Promise<readonly ContainerInfo[]> {
    const { env, scm } = this.gateway
    const outcome = await insist(env.clock, 20_000, () => scm.listContainers({ limit: 10_000 }))
    if (outcome.kind === 'answer') return outcome.value
    this.world.accuse('progress', 'SCM does not list containers')
    return []
  }

  private async complaint(last: number, named: ReadonlyMap<string, Uint8Array>): Promise<string | undefined> {
    const { env, scm } = this.gateway
    const outcome = await insist(env.clock, 1, async () => {
      const infos = (await scm.listContainers({ limit: 10_000 })).filter(({ id }) => id <= last)
      const details: ContainerDetails[] = []
      for (const { id } of infos) details.push(await scm.containerInfo(id))
      const inService = (await scm.listNodes()).filter(({ operational }) => operational === 'IN_SERVICE').length
      return { details, report: await scm.replicationReport(), deletions: await scm.deletedBlocks(), inService }
    })
    if (outcome.kind !== 'answer') return `SCM answers ${outcome.kind}`
    const { details, report, deletions, inService } = outcome.value
    for (const each of details) {
      const wrong =
        this.wrongWith(each, named, inService >= shardPlaces) ??
        (await this.garbageIn(each, named, inService >= shardPlaces))
      if (wrong !== undefined)
        return `container ${each.info.id} (${each.info.replication}, ${each.info.state}): ${wrong}`
    }
    const ill = report.healths.find(({ health, containers }) => health !== 'HEALTHY' && containers > 0)
    if (ill !== undefined) return `${ill.containers} are ${ill.health}, as ${ill.sample[0]}`
    const left = this.leftovers(details, last)
    if (left !== undefined) return left
    return deletions.heldTransactions > 0 ? `${deletions.heldTransactions} deletions are held back` : undefined
  }

  private wrongWith(
    { info, ec, shardOf, replicas }: ContainerDetails,
    named: ReadonlyMap<string, Uint8Array>,
    canEncode: boolean,
  ): string | undefined {
    if (info.state !== 'CLOSED') return 'it is not closed'
    const isToBeEncoded = info.replication.startsWith('EC/') && shardOf === undefined
    if (ec !== undefined) return replicas.length > 0 ? 'it is encoded, and has replicas' : undefined
    const wanted = shardOf === undefined ? 3 : 1
    const held = replicas.filter(({ standing }) => standing === 'held')
    // A datanode that has left keeps what it had.
    const inService = held.filter(({ operational }) => operational === 'IN_SERVICE')
    const said = replicas.map(
      ({ datanode, standing, report }) => `${datanode} ${standing} ${report?.state} ${report?.contentHash}`,
    )
    if (inService.length !== wanted || replicas.length !== held.length) return said.join(', ')
    if (new Set(held.map(({ report }) => `${report?.state} ${report?.contentHash}`)).size !== 1) return said.join(', ')
    if (held.some(({ report }) => report?.state !== 'CLOSED')) return said.join(', ')
    if (isToBeEncoded && canEncode) return 'it is not encoded'
    return shardOf === undefined && !isToBeEncoded ? this.strayBlock(info, named) : undefined
  }

  /**
   * Deletions of an encoded container wait until there are many; but they are recorded, and then it is encoded anew, or goes.
   */
  private async garbageIn(
    details: ContainerDetails,
    named: ReadonlyMap<string, Uint8Array>,
    canEncode: boolean,
  ): Promise<string | undefined> {
    if (details.ec === undefined) return undefined
    const outcome = await insist(this.gateway.env.clock, 1, () => this.gateway.scm.locate(details.info.id))
    const found = outcome.kind === 'answer' ? await encodedBlocks(this.world, details, outcome.value) : undefined
    if (found === undefined) return 'its shards cannot be read'
    if (found.isAnew) this.anew.add(details.info.id)
    const garbage = found.blocks.filter(({ name }) => !named.has(name))
    const { deletedBlocks } = details
    if (garbage.length > deletedBlocks)
      return `${garbage.length} blocks that no key is in, and ${deletedBlocks} recorded`
    if (!canEncode || garbage.length < found.blocks.length * repairBounds.anewShare) return undefined
    const bytes = (of: EncodedBlocks['blocks']): number => of.reduce((sum, { lengthBytes }) => sum + lengthBytes, 0)
    if (bytes(garbage) < bytes(found.blocks) * repairBounds.worthShare) return undefined
    return `${garbage.length} of ${found.blocks.length} blocks are in no key, and it is not encoded anew`
  }

  private strayBlock({ id, datanodes }: ContainerInfo, named: ReadonlyMap<string, Uint8Array>): string | undefined {
    const counted = [...named.keys()].filter((name) => name.startsWith(`${id}/`)).length
    for (const { id: at, life } of this.world.datanodes) {
      if (!datanodes.includes(at)) continue
      const report = life?.datanode.containers().find((each) => each.id === id)
      if (report === undefined) return `${at} does not have it`
      if (report.blockCount !== counted) return `${at} has ${report.blockCount} blocks, and keys are in ${counted}`
    }
    return undefined
  }

  /** Containers that no row names. */
  private leftovers(details: readonly ContainerDetails[], last: number): string | undefined {
    const rows = new Map(details.map(({ info }) => [info.id, info]))
    for (const { id, life } of this.world.datanodes) {
      const reports = (life?.datanode.containers() ?? []).filter((report) => report.id <= last)
      const stray = reports.find((report) => rows.get(report.id)?.datanodes.includes(id) !== true)
      if (stray !== undefined) return `${id} has container ${stray.id}, and no row says so`
    }
    return undefined
  }

  private async expectBytes(
    { id, life }: DatanodeMachine,
    { block, lengthBytes }: Stored,
    expected: Uint8Array,
  ): Promise<void> {
    const where = `block ${block.container}/${block.local} at ${id}`
    const pieces: Uint8Array[] = []
    try {
      for await (const piece of life?.datanode.read(block, { offset: 0, length: lengthBytes }) ?? [])
        pieces.push(piece.slice())
    } catch (error) {
      if (!isStoreError(error)) throw error
      this.world.accuse('equal-replicas', `${where}: ${error.code}, ${error.message}`)
      return
    }
    const differs = firstDifference(Buffer.concat(pieces), expected)
    if (differs !== undefined) this.world.accuse('equal-replicas', `${where} has other bytes from ${differs} on`)
  }
}

interface Stored {
  readonly block: { readonly container: number; readonly local: number }
  readonly lengthBytes: number
}
