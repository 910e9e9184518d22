import { isStoreError } from '@o3/common/errors'
import type { ContainerId, DatanodeId } from '../../api/api.ts'
import type { ClusterContainer } from '../../core/cluster-view.ts'
import type { Replicas, ScmCommand, ScmReply } from '../../core/command.ts'

/**
 * Writes down what is decided of replicas: compare and set against the row that the plan was made with. One that has changed
 * meanwhile is planned again, and nothing is lost by it.
 */
export class RowChanges {
  private readonly run: (command: ScmCommand) => Promise<ScmReply>
  private readonly touch: (unit: ContainerId) => void

  /** `touch`: the unit is to be judged again, whatever comes of it. */
  constructor(run: (command: ScmCommand) => Promise<ScmReply>, touch: (unit: ContainerId) => void) {
    this.run = run
    this.touch = touch
  }

  /** Undefined when the row is another by now. `NotLeader`, `OutcomeUnknown`. */
  async execute(command: ScmCommand, unit: ContainerId): Promise<ScmReply | undefined> {
    this.touch(unit)
    try {
      return await this.run(command)
    } catch (error) {
      if (isStoreError(error, 'ConcurrentChange', 'ContainerNotFound')) return undefined
      throw error
    }
  }

  /** Copies are being made at these. False: see `execute`. */
  async expect(container: ClusterContainer, targets: readonly DatanodeId[], unit: ContainerId): Promise<boolean> {
    const { datanodes, incoming } = container.row
    // A target that the row names has lost what it had.
    const left = datanodes.filter((id) => !targets.includes(id))
    return this.setReplicas(container, { datanodes: left, incoming: [...incoming, ...targets] }, unit)
  }

  /** No copies come from there any more. What was made all the same is a stray. */
  async expectNoMore(container: ClusterContainer, targets: readonly DatanodeId[], unit: ContainerId): Promise<void> {
    const { datanodes, incoming } = container.row
    const left = incoming.filter((id) => !targets.includes(id))
    if (left.length < incoming.length) await this.setReplicas(container, { datanodes, incoming: left }, unit)
  }

  /**
   * Nobody counts on these any more: each is a stray, and deleted once its datanode is asked. Never the last that the row
   * names. False: nothing was written.
   */
  async giveUp(
    container: ClusterContainer | undefined,
    gone: readonly DatanodeId[],
    unit: ContainerId,
  ): Promise<boolean> {
    if (container === undefined) return false
    const { datanodes, incoming } = container.row
    const left = datanodes.filter((id) => !gone.includes(id))
    if (left.length === 0 || left.length === datanodes.length) return false
    return this.setReplicas(container, { datanodes: left, incoming }, unit)
  }

  private async setReplicas({ id, row }: ClusterContainer, becomes: Replicas, unit: ContainerId): Promise<boolean> {
    const was = { datanodes: row.datanodes, incoming: row.incoming }
    return (await this.execute({ kind: 'set-replicas', container: id, was, becomes }, unit)) !== undefined
  }
}
