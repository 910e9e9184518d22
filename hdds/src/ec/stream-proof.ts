import { StoreError } from '@o3/common/errors'
import type { ContainerId } from '@o3/scm/api'
import type { DirectoryEntry, DirectoryPage } from '../core/ec/directory.ts'
import { RunningChecksum } from './running-checksum.ts'

/** Compares the bytes of a stream, front to back, with the checksums in its directory. */
export class StreamProof {
  private readonly container: ContainerId
  private readonly page: (page: number) => Promise<DirectoryPage>
  private readonly pageCount: number
  private nextPage = 0
  private entries: DirectoryPage | undefined
  private nextEntry = 0
  private current: DirectoryEntry | undefined
  private left = 0
  private checksum = new RunningChecksum()

  constructor(container: ContainerId, pageCount: number, page: (page: number) => Promise<DirectoryPage>) {
    this.container = container
    this.pageCount = pageCount
    this.page = page
  }

  /** The next bytes of the stream. `Damaged` for a block that ends in them and is not what it was. */
  async add(bytes: Uint8Array): Promise<void> {
    for (let from = 0; from < bytes.length;) {
      if (this.left === 0) await this.nextBlock()
      const part = bytes.subarray(from, from + this.left)
      this.checksum.add(part)
      from += part.length
      this.left -= part.length
      if (this.left === 0) this.endBlock()
    }
  }

  /** Empty blocks have nothing to compare. */
  private async nextBlock(): Promise<void> {
    while (this.left === 0) {
      if (this.entries === undefined || this.nextEntry === this.entries.count) {
        if (this.nextPage === this.pageCount) throw this.damaged(0)
        this.entries = await this.page(this.nextPage++)
        this.nextEntry = 0
        continue
      }
      this.current = this.entries.entry(this.nextEntry++)
      this.left = this.current.lengthBytes
    }
    this.checksum = new RunningChecksum()
  }

  private endBlock(): void {
    if (this.checksum.finish() !== this.current?.checksum) throw this.damaged(this.current?.local ?? 0)
  }

  private damaged(local: number): StoreError {
    return new StoreError('Damaged', 'the shards of a container do not give back its blocks', {
      details: { container: this.container, local, offset: 0, path: '' },
    })
  }
}
