import type { ReplicatedStore, Term } from '@o3/ratis/api'
import type { DatanodeId } from '../api/api.ts'
import type { ScmCommand, ScmReply } from '../core/command.ts'
import type { NodeRegistry } from './node-registry.ts'

/**
 * Sees to it that each datanode that is heard has its row, with its present address. Datanodes register with every member,
 * and only the leader writes rows: a registration that the old leader missed would never be written down. So a leader
 * writes once per term what it has of each datanode that it hears from; a row that is right already costs no log entry.
 */
export class NodeEnrolment {
  private readonly store: Pick<ReplicatedStore<ScmCommand, ScmReply>, 'execute'>
  private readonly registry: NodeRegistry
  private readonly enrolled = new Map<DatanodeId, { readonly term: Term; readonly address: string | undefined }>()

  constructor(store: Pick<ReplicatedStore<ScmCommand, ScmReply>, 'execute'>, registry: NodeRegistry) {
    this.store = store
    this.registry = registry
  }

  /**
   * Only for a datanode that is speaking now: what this member heard long ago may be an address that it has left, and must
   * not overwrite the one that another member was told since.
   */
  async ensure(id: DatanodeId, term: Term): Promise<void> {
    const address = this.registry.view(id)?.address
    const known = this.enrolled.get(id)
    if (known?.term === term && known.address === address) return
    await this.store.execute({ kind: 'register-node', id, address }, { term })
    this.enrolled.set(id, { term, address })
  }
}
