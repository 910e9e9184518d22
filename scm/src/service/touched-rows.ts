import type { ContainerId, DatanodeId, PipelineId } from '../api/api.ts'
import type { ClusterView } from '../core/cluster-view.ts'
import type { ScmCommand, ScmReply } from '../core/command.ts'

export interface TouchedRows {
  readonly nodes: readonly DatanodeId[]
  readonly pipelines: readonly PipelineId[]
  readonly containers: readonly ContainerId[]
}

const nothing: TouchedRows = { nodes: [], pipelines: [], containers: [] }

/**
 * Rows that a command may have changed, of those that a leader keeps in memory. Asked twice: before, when the rows still name
 * what it is about to take away, and after, with the reply. What an allocation changes nobody looks at there.
 */
export function touchedBy(
  command: ScmCommand,
  reply: ScmReply | undefined,
  view: Pick<ClusterView, 'container'>,
): TouchedRows {
  switch (command.kind) {
    case 'add-secret-key':
      return nothing
    case 'register-node':
      return { ...nothing, nodes: [command.id] }
    case 'set-operational':
      return { ...nothing, nodes: [command.datanode] }
    case 'create-pipeline':
      return reply?.kind === 'pipeline' ? { ...nothing, pipelines: [reply.pipeline] } : nothing
    case 'transition-pipeline':
      return { ...nothing, pipelines: [command.pipeline] }
    case 'create-container':
      return reply?.kind === 'container' ? { ...nothing, containers: [reply.container] } : nothing
    case 'set-replicas':
    case 'drop-records':
      return { ...nothing, containers: [command.container] }
    case 'begin-encoding': {
      const shards = reply?.kind === 'shards' ? reply.shards : []
      return { ...nothing, containers: [command.container, ...shards] }
    }
    case 'transition-container':
    case 'finish-encoding':
    case 'abandon-encoding':
      return { ...nothing, containers: withShards(command.container, view) }
    case 'delete-blocks':
      return {
        ...nothing,
        containers: encodedAmong(
          command.blocks.map(({ container }) => container),
          view,
        ),
      }
    case 'allocate-blocks':
    case 'acknowledge-deletions':
    case 'settle-deletions':
      return nothing
  }
}

function withShards(container: ContainerId, view: Pick<ClusterView, 'container'>): readonly ContainerId[] {
  const row = view.container(container)?.row
  return [container, ...(row?.ec?.shards ?? []), ...(row?.encoding?.shards ?? [])]
}

/** They count deletions in their rows. */
function encodedAmong(ids: readonly ContainerId[], view: Pick<ClusterView, 'container'>): readonly ContainerId[] {
  return [...new Set(ids)].filter((id) => view.container(id)?.row.ec !== undefined)
}
