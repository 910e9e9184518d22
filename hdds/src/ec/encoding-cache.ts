import { StoreError } from '@o3/common/errors'
import type { LocalId } from '@o3/scm/api'
import { LRUCache } from 'lru-cache'
import { pageOf } from '../core/ec/directory.ts'
import type { DirectoryEntry, DirectoryPage } from '../core/ec/directory.ts'
import { loadEncoding, loadPage } from './encoding.ts'
import type { Encoding, ReadManner } from './encoding.ts'
import type { ShardReads } from './shard-reads.ts'

interface Sized {
  readonly memoryBytes: number
}

/**
 * What readers know of encoded containers: at most so many bytes, least recently used first out. A container is its index and
 * the pages that somebody wanted, so one with a million small blocks costs no more than what is read of it.
 */
export class EncodingCache {
  private readonly known: LRUCache<string, Sized>
  private readonly loading = new Map<string, Promise<Sized>>()

  constructor(maxBytes: number) {
    this.known = new LRUCache<string, Sized>({ maxSize: maxBytes, sizeCalculation: ({ memoryBytes }) => memoryBytes })
  }

  async encoding(reads: ShardReads, manner: ReadManner): Promise<Encoding> {
    return await this.get(keyOf(reads), () => loadEncoding(reads, manner))
  }

  async page(reads: ShardReads, encoding: Encoding, page: number, manner: ReadManner): Promise<DirectoryPage> {
    return await this.get(`${keyOf(reads)}/${page}`, () => loadPage(reads, encoding, { page, manner }))
  }

  /** Undefined when there is no such block. */
  async find(
    reads: ShardReads,
    encoding: Encoding,
    { local, manner }: { readonly local: LocalId; readonly manner: ReadManner },
  ): Promise<DirectoryEntry | undefined> {
    const page = pageOf(encoding.index, local)
    return page < 0 ? undefined : (await this.page(reads, encoding, page, manner)).find(local)
  }

  /** Who wants the same at the same time waits for the same. A key stands for one type. */
  private async get<T extends Sized>(key: string, load: () => Promise<T>): Promise<T> {
    const known = this.known.get(key)
    if (known !== undefined) return known as T
    const other = this.loading.get(key)
    if (other === undefined) return await this.load(key, load)
    try {
      return (await other) as T
    } catch (error) {
      // The other caller had no access; this one may.
      if (error instanceof StoreError && error.category === 'denied') return await load()
      throw error
    }
  }

  private async load<T extends Sized>(key: string, load: () => Promise<T>): Promise<T> {
    const loading = load()
    this.loading.set(key, loading)
    try {
      const loaded = await loading
      this.known.set(key, loaded)
      return loaded
    } finally {
      this.loading.delete(key)
    }
  }
}

/** Shards have ids of their own, which are used once: a container that is encoded anew has others. */
function keyOf({ layout }: ShardReads): string {
  return `${layout.shards[0]?.container}`
}
