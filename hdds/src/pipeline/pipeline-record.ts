import type { ContainerId, DatanodeId, PipelineId, PipelineMember } from '@o3/scm/api'
import { IdRanges } from '../core/id-ranges.ts'
import type { PipelineDescription } from '../core/pipeline-description.ts'
import type { PipelineHome } from './pipeline-home.ts'

export interface PipelineRecordOptions {
  readonly home: Pick<PipelineHome, 'write'>
  readonly description: PipelineDescription
  readonly containers: { find(id: ContainerId): unknown }
  /** The container is the pipeline's from now on, or no more: it is sealed. */
  readonly onOwner: (container: ContainerId, owner: 'pipeline' | 'nobody') => void
}

/** Of containers that were sealed so many are known exactly; a pipeline makes one for each GiB. */
const mostSealedRanges = 1_000

/** What is written down of a pipeline, and how it changes. */
export class PipelineRecord {
  readonly id: PipelineId
  private readonly options: PipelineRecordOptions
  private current: readonly PipelineMember[]
  private state: PipelineDescription['state']
  /** Durably. */
  private readonly owned: Set<ContainerId>
  /** See `PipelineDescription.partial`. */
  private readonly lost: Set<ContainerId>
  private readonly sealed: IdRanges
  private isRejoined: boolean
  private readonly adopting = new Map<ContainerId, Promise<void>>()

  constructor(options: PipelineRecordOptions) {
    const { pipeline, members, state, containers, isRejoined, partial, sealed } = options.description
    this.options = options
    this.id = pipeline
    this.current = members
    this.state = state
    // What is written down as its own and not here may have had blocks (or was never begun, nobody can tell). It is not owned any
    // more: whoever begins it anew adopts it first, and so writes down that it is partial, before a start can take it for what was.
    const isHere = (id: ContainerId): boolean => options.containers.find(id) !== undefined
    this.owned = new Set(containers.filter(isHere))
    this.lost = new Set([...partial, ...containers.filter((id) => !isHere(id))])
    this.isRejoined = isRejoined
    this.sealed = new IdRanges(sealed)
  }

  get members(): readonly PipelineMember[] {
    return this.current
  }

  /** Those that are open here, as far as is known. */
  get containers(): readonly ContainerId[] {
    return [...new Set([...this.owned, ...this.adopting.keys(), ...this.lost])]
  }

  /** As it was read; to be called once. */
  announce(): void {
    for (const container of this.options.description.containers) this.options.onOwner(container, 'pipeline')
  }

  /** Of what was written into this replica nothing is missing, as far as disks were lost. */
  isWhole(id: ContainerId): boolean {
    return !this.lost.has(id)
  }

  /** The log has all that it ever had: none of it was lost. */
  get hasKeptLog(): boolean {
    return !this.isRejoined
  }

  /** Part of the log was lost. Durable when it resolves; once is enough. `OutOfSpace`, `VolumeFailed`. */
  async rejoin(): Promise<void> {
    if (this.isRejoined) return
    this.isRejoined = true
    await this.write()
  }

  addressOf(member: DatanodeId): string | undefined {
    return this.current.find(({ datanode }) => datanode === member)?.address
  }

  /** The same members, elsewhere. False when nothing has changed. */
  async move(members: readonly PipelineMember[]): Promise<boolean> {
    if (members.every(({ datanode, address }) => this.addressOf(datanode) === address)) return false
    this.current = members
    await this.write()
    return true
  }

  /**
   * Before the first byte of a container: a restart must know whose it is. One that was sealed here before was lost since. Durable
   * when it resolves; undefined when it was. `OutOfSpace`, `VolumeFailed`.
   */
  adopt(id: ContainerId): Promise<void> | undefined {
    if (this.owned.has(id)) return undefined
    let adoption = this.adopting.get(id)
    if (adoption === undefined) {
      this.options.onOwner(id, 'pipeline')
      if (this.sealed.has(id)) this.lost.add(id)
      const written = Promise.resolve().then(() => this.write())
      adoption = written.then(() => void this.owned.add(id)).finally(() => this.adopting.delete(id))
      this.adopting.set(id, adoption)
    }
    return adoption
  }

  /** It is sealed. What is written down says so with the next change; until then its seal tells. */
  release(id: ContainerId): void {
    this.owned.delete(id)
    this.lost.delete(id)
    this.sealed.add(id)
    this.sealed.coarsen(mostSealedRanges)
    this.options.onOwner(id, 'nobody')
  }

  /** Durable when it resolves: a restart takes no part in the group. `OutOfSpace`, `VolumeFailed`. */
  async withdraw(): Promise<void> {
    this.state = 'withdrawn'
    await this.write()
  }

  private write(): Promise<void> {
    const { id: pipeline, current: members, state, containers, isRejoined, lost, sealed } = this
    const { all } = sealed
    return this.options.home.write({
      pipeline,
      members,
      state,
      containers,
      isRejoined,
      partial: [...lost],
      sealed: [...all],
    })
  }
}
