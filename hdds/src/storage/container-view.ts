/** A container in one of its generations, and the small things that are said of it. */

import { StoreError } from '@o3/common/errors'
import type { ContainerId, ContainerReport, LocalId } from '@o3/scm/api'
import { aloneMark } from '../core/container-ledger.ts'
import type { LedgerChange, Sealing, SealState } from '../core/container-ledger.ts'
import { blockKey, blockKeyPrefix } from '../core/index-keys.ts'
import type { HeaderProof } from '../core/record.ts'
import type { NewRecord } from './appender.ts'
import type { ContainerFile } from './container-file.ts'
import type { DiskScope } from './disk-scope.ts'
import { proofOf } from './disk-scope.ts'

/** One generation of a container: what a reader holds on to while compaction replaces it. */
export interface ContainerView {
  readonly file: ContainerFile
  readonly proof: HeaderProof
  readonly keyPrefix: string
}

/** What is reported of a container that is sound. */
export const stateOf = {
  none: 'OPEN',
  agreed: 'CLOSED',
  alone: 'QUASI_CLOSED',
  origin: 'QUASI_CLOSED',
} as const satisfies Record<SealState, ContainerReport['state']>

export function sealRecord(how: Sealing): NewRecord {
  const blockOffset = how === 'agreed' ? 0 : aloneMark
  return { kind: 'seal', local: 0, whole: how === 'origin', blockOffset, length: 0, checksums: [], pieces: [] }
}

/** Does to the index what a record has done to its container. */
export function applyChange(scope: DiskScope, keyPrefix: string, change: LedgerChange): void {
  if (change.kind === 'put') {
    scope.index.put(blockKey(keyPrefix, change.local), change.row)
    return
  }
  for (const { first, count } of change.runs) {
    for (let local = first; local < first + count; local++) scope.index.delete(blockKey(keyPrefix, local))
  }
}

export function viewOf(scope: DiskScope, file: ContainerFile): ContainerView {
  const { name } = file
  return { file, proof: proofOf(scope.uuid, name), keyPrefix: blockKeyPrefix(name.container, name.generation) }
}

export function alreadyWritten(container: ContainerId, local: LocalId): StoreError {
  return new StoreError('InvalidArgument', `block ${container}/${local} was written before`, {
    details: { container, local },
  })
}
