import type { ContainerId, DatanodeId, PipelineId, PipelineMember } from '@o3/scm/api'
import type { PipelineDescription } from '../core/pipeline-description.ts'
import type { PipelineHome } from './pipeline-home.ts'

export interface PipelineRecordOptions {
  readonly home: Pick<PipelineHome, 'write'>
  readonly description: PipelineDescription
  /** The container is the pipeline's from now on, or no more: it is sealed. */
  readonly onOwner: (container: ContainerId, owner: 'pipeline' | 'nobody') => void
}

/** What is written down of a pipeline, and how it changes. */
export class PipelineRecord {
  readonly id: PipelineId
  private readonly options: PipelineRecordOptions
  private current: readonly PipelineMember[]
  private state: PipelineDescription['state']
  /** Durably. */
  private readonly owned: Set<ContainerId>
  private readonly adopting = new Map<ContainerId, Promise<void>>()

  constructor(options: PipelineRecordOptions) {
    const { pipeline, members, state, containers } = options.description
    this.options = options
    this.id = pipeline
    this.current = members
    this.state = state
    this.owned = new Set(containers)
  }

  get members(): readonly PipelineMember[] {
    return this.current
  }

  /** Those that are open here, as far as is known. */
  get containers(): readonly ContainerId[] {
    return [...new Set([...this.owned, ...this.adopting.keys()])]
  }

  /** As it was read; to be called once. */
  announce(): void {
    for (const container of this.owned) this.options.onOwner(container, 'pipeline')
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
   * Before the first byte of a container: a restart must know whose it is. Durable when it resolves; undefined when it was.
   * `OutOfSpace`, `VolumeFailed`.
   */
  adopt(id: ContainerId): Promise<void> | undefined {
    if (this.owned.has(id)) return undefined
    let adoption = this.adopting.get(id)
    if (adoption === undefined) {
      this.options.onOwner(id, 'pipeline')
      const written = Promise.resolve().then(() => this.write())
      adoption = written.then(() => void this.owned.add(id)).finally(() => this.adopting.delete(id))
      this.adopting.set(id, adoption)
    }
    return adoption
  }

  /** It is sealed. What is written down says so with the next change; until then its seal tells. */
  release(id: ContainerId): void {
    this.owned.delete(id)
    this.options.onOwner(id, 'nobody')
  }

  /** Durable when it resolves: a restart takes no part in the group. `OutOfSpace`, `VolumeFailed`. */
  async withdraw(): Promise<void> {
    this.state = 'withdrawn'
    await this.write()
  }

  private write(): Promise<void> {
    const { id, current: members, state, containers } = this
    return this.options.home.write({ pipeline: id, members, state, containers })
  }
}
