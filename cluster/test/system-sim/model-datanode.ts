import type { Env } from '@o3/common/env'
import { isStoreError } from '@o3/common/errors'
import { nullLogger } from '@o3/common/logger'
import type {
  BlockId,
  BlockRange,
  ContainerReport,
  DatanodeAnswer,
  DatanodeCommand,
  ScmDatanodeProtocol,
} from '@o3/scm/api'
import { RemoteScm } from '@o3/scm/client'
import { KeyRing, Vouching } from '@o3/scm/tokens'
import { groupClient } from './services.ts'

interface Container {
  state: 'OPEN' | 'CLOSED'
  usedBytes: number
  readonly blocks: Map<number, number>
}

const heartbeatMs = 1_000

export const blockName = ({ container, local }: BlockId): string => `${container}/${local}`

/**
 * A datanode as SCM sees it, and its blocks by name only: it talks to every member of SCM, obeys the leader of the highest term,
 * and says what became of containers.
 */
export class ModelDatanode {
  readonly id: string
  /** When SCM had blocks deleted here, by name, in virtual milliseconds. */
  readonly deletedMs = new Map<string, number>()
  refusedCommands = 0
  private readonly containers = new Map<number, Container>()
  /** They are not made anew by a block of a lease that is older than their end. */
  private readonly gone = new Set<number>()
  private readonly done = new Set<number>()
  private highestTerm = 0
  private vouching: Vouching | undefined

  private readonly nowMs: () => number

  constructor(id: string, nowMs: () => number) {
    this.id = id
    this.nowMs = nowMs
  }

  /** What it signs for a block that it has; undefined while it has no key from SCM. */
  async prove(block: BlockId, lengthBytes: number): Promise<Uint8Array | undefined> {
    const { vouching } = this
    if (vouching === undefined) return undefined
    try {
      const key = await vouching.keys.ready()
      return vouching.proof({ block, lengthBytes }, { kind: 'stored', datanode: this.id, checksum: undefined }, key)
    } catch (error) {
      if (!isStoreError(error)) throw error
      return undefined
    }
  }

  /** Gets its keys from whoever leads SCM. */
  keepKeys(env: Env, scmMembers: readonly string[]): { stop(): Promise<void> } {
    const client = groupClient(env, 'scm', scmMembers)
    const keys = new KeyRing({ scm: new RemoteScm(client), clock: env.clock, log: nullLogger })
    this.vouching = new Vouching({ keys, clock: env.clock })
    const task = env.tasks.spawn('secret keys', (signal) => keys.run(signal))
    return {
      stop: async () => {
        task.cancel()
        client.close()
        await task.done
      },
    }
  }

  /** Starts to talk to one member of SCM, from a process of its machine. */
  talkTo(env: Env, scmMember: string): { stop(): Promise<void> } {
    const client = groupClient(env, scmMember, [scmMember], { deadlineMs: 3_000 })
    const task = env.tasks.spawn(`heartbeat ${scmMember}`, (signal) => this.talk(env, new RemoteScm(client), signal))
    return {
      stop: async () => {
        task.cancel()
        client.close()
        await task.done
      },
    }
  }

  /** Names of the blocks that are here. */
  get blocks(): readonly string[] {
    return [...this.containers].flatMap(([container, { blocks }]) =>
      [...blocks.keys()].map((local) => blockName({ container, local })),
    )
  }

  /** What a client writes; the container comes with its first block. False: it is closed, or the block was deleted already. */
  write(block: BlockId, bytes: number): boolean {
    if (this.deletedMs.has(blockName(block))) return false
    const container = this.containers.get(block.container) ?? { state: 'OPEN', usedBytes: 0, blocks: new Map() }
    if (container.state !== 'OPEN' || this.gone.has(block.container)) return false
    this.containers.set(block.container, container)
    container.usedBytes += bytes
    container.blocks.set(block.local, bytes)
    return true
  }

  private async talk(env: Env, scm: ScmDatanodeProtocol, signal: AbortSignal): Promise<void> {
    let isRegistered = false
    while (!signal.aborted) {
      try {
        const answer: DatanodeAnswer = isRegistered ? await this.beat(scm) : await scm.register(this.registration())
        isRegistered = !answer.commands.some(({ kind }) => kind === 'register')
        this.obey(answer)
      } catch (error) {
        if (!isStoreError(error)) throw error
      }
      await env.clock.sleep(isRegistered ? heartbeatMs : heartbeatMs / 4, signal).catch(() => undefined)
    }
  }

  private async beat(scm: ScmDatanodeProtocol): Promise<DatanodeAnswer> {
    const told = [...this.done]
    const answer = await scm.heartbeat(this.report(told))
    // Only a leader writes it down.
    if (answer.term !== undefined) for (const transaction of told) this.done.delete(transaction)
    return answer
  }

  private registration(): Parameters<ScmDatanodeProtocol['register']>[0] {
    return { id: this.id, address: `${this.id}:1`, disks: disks(), containers: this.reports() }
  }

  private report(deletedTransactions: readonly number[]): Parameters<ScmDatanodeProtocol['heartbeat']>[0] {
    return {
      id: this.id,
      full: true,
      disks: disks(),
      containers: this.reports(),
      deletedTransactions,
    }
  }

  private reports(): readonly ContainerReport[] {
    return [...this.containers].map(([id, { state, usedBytes, blocks }]) => {
      const liveBytes = [...blocks.values()].reduce((sum, bytes) => sum + bytes, 0)
      return { id, state, generation: 1, usedBytes, liveBytes, blockCount: blocks.size }
    })
  }

  private obey({ term, commands }: DatanodeAnswer): void {
    if (term === undefined) return
    if (term < this.highestTerm) {
      this.refusedCommands += commands.length
      return
    }
    this.highestTerm = term
    for (const command of commands) this.carryOut(command)
  }

  private carryOut(command: DatanodeCommand): void {
    switch (command.kind) {
      case 'create-container':
        return this.createContainer(command.container)
      case 'close-container': {
        const container = this.containers.get(command.container)
        if (container !== undefined) container.state = 'CLOSED'
        return
      }
      case 'delete-container':
        return this.deleteContainer(command.container)
      case 'delete-blocks':
        for (const range of command.blocks) this.delete(range)
        this.done.add(command.transaction)
        return
      case 'full-report':
      case 'register':
        return
      case 'create-pipeline':
      case 'close-pipeline':
      case 'copy-container':
      case 'reconcile-container':
      case 'salvage-container':
      case 'encode-container':
      case 'reconstruct-shards':
        throw new Error(`SCM asked a datanode that knows nothing of it to ${command.kind}`)
    }
  }

  private createContainer(id: number): void {
    if (this.gone.has(id) || this.containers.has(id)) return
    this.containers.set(id, { state: 'OPEN', usedBytes: 0, blocks: new Map() })
  }

  private deleteContainer(id: number): void {
    for (const local of this.containers.get(id)?.blocks.keys() ?? []) {
      this.deletedMs.set(blockName({ container: id, local }), this.nowMs())
    }
    this.containers.delete(id)
    this.gone.add(id)
  }

  private delete({ container, firstLocal, count }: BlockRange): void {
    for (let local = firstLocal; local < firstLocal + count; local++) {
      this.deletedMs.set(blockName({ container, local }), this.nowMs())
      this.containers.get(container)?.blocks.delete(local)
    }
  }
}

function disks() {
  const totalBytes = 2 ** 40
  return [
    { path: 'disk', uuid: 'disk', state: 'healthy' as const, totalBytes, availableBytes: totalBytes, usedBytes: 0 },
  ]
}
