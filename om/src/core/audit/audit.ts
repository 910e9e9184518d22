/**
 * The invariants of the namespace: what is counted from the rows alone, compared with what the rows claim. Feed it every
 * row of every table, of one moment, tables and rows in any order; then ask for the findings. It keeps some 100 bytes in
 * memory for each directory and each block of a key: 10 million of them need a gigabyte.
 */

import type { UploadId } from '../../api/api.ts'
import { bitsIn } from '../rows/bits.ts'
import type { DeletedBlocksRow, QueueEnds, QueueName } from '../rows/block.ts'
import type { BucketUsageRow } from '../rows/bucket.ts'
import type { EntryKey, EntryRow } from '../rows/entry.ts'
import type { PartKey, PartRow, UploadKey, UploadProgressRow } from '../rows/upload.ts'
import type { AccessKeyRow, UserRow } from '../rows/user.ts'
import { BlockAudit } from './block-audit.ts'
import { TreeAudit } from './tree-audit.ts'
import { UsageAudit } from './usage-audit.ts'

interface PartsFound {
  bytes: number
  readonly numbers: number[]
}

export class Audit {
  readonly usage = new UsageAudit()
  readonly blocks = new BlockAudit()
  private readonly tree = new TreeAudit()
  private readonly nextDirectory = new Map<number, number>()
  private readonly uploads = new Map<UploadId, UploadKey>()
  private readonly progress = new Map<UploadId, UploadProgressRow>()
  private readonly parts = new Map<UploadId, PartsFound>()
  private readonly deletedPositions = new Set<number>()
  private readonly completed = { uploads: new Set<UploadId>(), slots: new Set<UploadId>() }
  private readonly ends = new Map<QueueName, QueueEnds>()
  private readonly users = new Map<string, UserRow>()
  private readonly accessKeys = new Map<string, AccessKeyRow>()
  private readonly findings: string[] = []

  addEntry(key: EntryKey, row: EntryRow): void {
    this.tree.add(key, row)
    if (row.kind === 'directory') return
    this.usage.count(key.bucket, { keys: 1, bytes: row.size })
    this.addContent(`key ${JSON.stringify(key.name)} in directory ${key.parent} of bucket ${key.bucket}`, row)
  }

  addBucketUsage(bucket: number, row: BucketUsageRow): void {
    this.usage.addBucketUsage(bucket, row)
    this.nextDirectory.set(bucket, row.nextDirectory)
  }

  addUpload(key: UploadKey): void {
    this.uploads.set(key.upload, key)
    this.usage.count(key.bucket, { uploads: 1 })
  }

  addProgress(upload: UploadId, row: UploadProgressRow): void {
    this.progress.set(upload, row)
  }

  addPart({ upload, number }: PartKey, row: PartRow): void {
    const found = this.parts.get(upload) ?? { bytes: 0, numbers: [] }
    found.bytes += row.size
    found.numbers.push(number)
    this.parts.set(upload, found)
    this.addContent(`part ${number} of upload ${upload}`, row)
  }

  addCompleted(upload: UploadId): void {
    this.completed.uploads.add(upload)
  }

  addCompletedSlot(upload: UploadId): void {
    this.completed.slots.add(upload)
  }

  addDeleted(position: number, { ranges }: DeletedBlocksRow): void {
    this.deletedPositions.add(position)
    this.blocks.addDeleted(position, ranges)
  }

  addQueueEnds(name: QueueName, row: QueueEnds): void {
    this.ends.set(name, row)
  }

  addUser(name: string, row: UserRow): void {
    this.users.set(name, row)
  }

  addAccessKey(id: string, row: AccessKeyRow): void {
    this.accessKeys.set(id, row)
  }

  /** One sentence for each thing that is not as it should be; once, after all rows. */
  finish(): readonly string[] {
    this.checkUploads()
    this.checkQueues()
    this.checkAccessKeys()
    return [...this.usage.finish(), ...this.tree.finish(this.nextDirectory), ...this.blocks.finish(), ...this.findings]
  }

  private addContent(owner: string, row: Pick<PartRow, 'content' | 'shared' | 'size'>): void {
    const { content } = row
    const size =
      content.kind === 'inline'
        ? content.bytes.length
        : content.segments.reduce((sum, each) => sum + (each.kind === 'inline' ? each.bytes.length : each.length), 0)
    if (size !== row.size) this.findings.push(`${owner} says ${row.size} bytes and has ${size}`)
    this.blocks.addContent(owner, content, row.shared)
  }

  private checkUploads(): void {
    for (const upload of new Set([...this.progress.keys(), ...this.parts.keys()])) {
      if (!this.uploads.has(upload)) this.findings.push(`upload ${upload} is gone, and something of it is left`)
    }
    for (const [upload, { bucket }] of this.uploads) {
      const claimed = this.progress.get(upload)
      const found = this.parts.get(upload) ?? { bytes: 0, numbers: [] }
      this.usage.count(bucket, { bytes: found.bytes })
      const numbers = found.numbers.toSorted((a, b) => a - b).join()
      if (claimed?.bytes !== found.bytes || bitsIn(claimed.parts).join() !== numbers) {
        this.findings.push(`upload ${upload} does not have the parts that its progress names`)
      }
    }
  }

  private checkQueues(): void {
    const deleted = this.ends.get('deleted-blocks') ?? { first: 0, next: 0 }
    const dense = [...this.deletedPositions].every((position) => position >= deleted.first && position < deleted.next)
    if (!dense || this.deletedPositions.size !== deleted.next - deleted.first) {
      this.findings.push('the queue of deleted blocks does not lie between its ends')
    }
    const completed = this.ends.get('completed-uploads') ?? { first: 0, next: 0 }
    const known = [...this.completed.uploads].every((upload) => this.completed.slots.has(upload))
    const { size } = this.completed.uploads
    if (!known || size !== this.completed.slots.size || size !== completed.next - completed.first) {
      this.findings.push('the memory of completed uploads does not agree with its slots')
    }
  }

  private checkAccessKeys(): void {
    let named = 0
    for (const [name, { accessKeys }] of this.users) {
      named += accessKeys.length
      for (const id of accessKeys) {
        if (this.accessKeys.get(id)?.user !== name)
          this.findings.push(`user ${name} names access key ${id} of somebody else`)
      }
    }
    if (named !== this.accessKeys.size) this.findings.push('an access key is left that no user names')
  }
}
