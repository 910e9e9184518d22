/**
 * Writes the next generation of a container file, from the first record to the seal, before anybody reads it. The file
 * has an unfinished name until all of it is durable, so a crash leaves either nothing or a whole generation.
 */

import type { DiskFile } from '@o3/common/env'
import { isStoreError } from '@o3/common/errors'
import type { LocalId } from '@o3/scm/api'
import type { BlockRow } from '../core/block-row.ts'
import { ContainerLedger } from '../core/container-ledger.ts'
import type { LedgerRecord } from '../core/container-ledger.ts'
import type { ContainerFileName } from '../core/container-name.ts'
import { formatContainerName, formatUnfinishedName } from '../core/container-name.ts'
import { encodeHeader } from '../core/record.ts'
import type { HeaderProof, RecordHeader } from '../core/record.ts'
import { alignRecord, headerBytes } from '../core/record-layout.ts'
import type { Tombstone } from '../core/tombstone.ts'
import { encodeTombstone } from '../core/tombstone.ts'
import { checksumOfUnits } from '../core/block-checksum.ts'
import { commitPayload } from '../core/commit.ts'
import { crc32c, unitChecksums } from './checksum.ts'
import type { CommittedBlock } from './container-writer.ts'
import type { DiskScope } from './disk-scope.ts'
import { containersDirectory, proofOf } from './disk-scope.ts'

export interface IndexedBlock {
  readonly local: LocalId
  readonly row: BlockRow
}

type Placed = Pick<RecordHeader, 'kind' | 'local' | 'whole' | 'blockOffset' | 'checksums'>

export class GenerationWriter {
  readonly ledger = new ContainerLedger()
  private readonly scope: DiskScope
  private readonly name: ContainerFileName
  private readonly file: DiskFile
  private readonly proof: HeaderProof
  private end = 0

  private constructor(scope: DiskScope, name: ContainerFileName, file: DiskFile) {
    this.scope = scope
    this.name = name
    this.file = file
    this.proof = proofOf(scope.uuid, name)
  }

  /** What an earlier attempt left is removed. */
  static async create(scope: DiskScope, name: ContainerFileName): Promise<GenerationWriter> {
    const { disk } = scope.env
    const path = unfinishedPath(scope, name)
    if ((await disk.stat(path)) !== undefined) await disk.remove(path)
    return new GenerationWriter(scope, name, await disk.open(path, 'create'))
  }

  /** A data record whose payload was verified against these checksums; the row when it completes its block. */
  async data(record: Omit<Placed, 'kind'>, payload: Uint8Array): Promise<IndexedBlock | undefined> {
    const checksum = record.whole ? checksumOfUnits(record.checksums, crc32c) : undefined
    return await this.append({ ...record, kind: 'data' }, payload, { checksum })
  }

  async commit(local: LocalId, { lengthBytes, checksum }: CommittedBlock): Promise<IndexedBlock | undefined> {
    const payload = commitPayload(checksum)
    const checksums = unitChecksums([payload])
    const record = { kind: 'commit', local, whole: false, blockOffset: lengthBytes, checksums } as const
    return await this.append(record, payload, { checksum })
  }

  async tombstone(tombstone: Tombstone): Promise<void> {
    const payload = encodeTombstone(tombstone)
    const checksums = unitChecksums([payload])
    await this.append({ kind: 'tombstone', local: 0, whole: false, blockOffset: 0, checksums }, payload, { tombstone })
  }

  /**
   * Seals, makes the bytes durable and gives the file its name, durably. The floor of the seal says that all before it
   * is: in this file nothing can be torn, and what does not verify is damage.
   */
  async finish(): Promise<void> {
    const { env, path } = this.scope
    await this.append({ kind: 'seal', local: 0, whole: false, blockOffset: 0, checksums: [] }, nothing)
    await this.guarded(async () => {
      await this.file.sync()
      env.at('hdds.compact.before-rename')
      await this.file.close()
      const directory = containersDirectory(path)
      await env.disk.rename(unfinishedPath(this.scope, this.name), `${directory}/${formatContainerName(this.name)}`)
      env.at('hdds.compact.before-directory-sync')
      await env.disk.syncDirectory(directory)
    })
  }

  /** Gives up: nothing is left. */
  async discard(): Promise<void> {
    await this.file.close()
    const path = unfinishedPath(this.scope, this.name)
    if ((await this.scope.env.disk.stat(path)) !== undefined) await this.scope.env.disk.remove(path)
  }

  private async append(
    record: Placed,
    payload: Uint8Array,
    beside: Pick<LedgerRecord, 'tombstone' | 'checksum'> = {},
  ): Promise<IndexedBlock | undefined> {
    const fileOffset = this.end
    const length = payload.length
    const units = record.checksums.length
    const header = new Uint8Array(headerBytes(units))
    const floor = record.kind === 'seal' ? fileOffset : 0
    encodeHeader({ ...record, ...this.name, length, fileOffset, floor }, header, 0, this.proof)
    this.end = alignRecord(fileOffset + header.length + length)
    const padding = new Uint8Array(this.end - fileOffset - header.length - length)
    await this.guarded(() => this.file.write([header, payload, padding], fileOffset))
    const change = this.ledger.apply({ ...record, ...beside, length, fileOffset }, this.end)
    return change?.kind === 'put' ? change : undefined
  }

  /** A full disk is an answer; any other failure of a write or a sync is the disk's last. */
  private async guarded(action: () => Promise<void>): Promise<void> {
    try {
      await action()
    } catch (error) {
      throw isStoreError(error, 'OutOfSpace') ? error : this.scope.health.fail(error)
    }
  }
}

const nothing = new Uint8Array(0)

function unfinishedPath(scope: DiskScope, name: ContainerFileName): string {
  return `${containersDirectory(scope.path)}/${formatUnfinishedName(name)}`
}
