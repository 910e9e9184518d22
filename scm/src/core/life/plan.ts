import type { ContainerId, DatanodeCommand, DatanodeId } from '../../api/api.ts'
import type { ScmCommand } from '../command.ts'

/** A command that is due to a datanode until the state of things says that it is done. */
export interface Due {
  readonly datanode: DatanodeId
  readonly command:
    | Exclude<DatanodeCommand, { readonly kind: 'reconcile-container' | 'salvage-container' }>
    | ReconcileDue
}

/** Its task gets a name when it is sent: one that failed is tried again under another. */
export interface ReconcileDue {
  readonly kind: 'reconcile' | 'salvage'
  readonly container: ContainerId
  readonly sources: readonly DatanodeId[]
}

export function isReconcile(command: Due['command']): command is ReconcileDue {
  return command.kind === 'reconcile' || command.kind === 'salvage'
}

/** What is to happen to one container. After the change it is planned again. */
export interface ContainerPlan {
  readonly change: ScmCommand | undefined
  readonly due: readonly Due[]
}

export const nothing: ContainerPlan = { change: undefined, due: [] }

export function changeTo(change: ScmCommand): ContainerPlan {
  return { change, due: [] }
}

export function dueOnly(due: readonly Due[]): ContainerPlan {
  return { change: undefined, due }
}
