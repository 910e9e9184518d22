/**
 * Blocks that clients stream into this replica of a pipeline's containers. Their bytes pass no log; what the group must
 * know of them is whether they were agreed to before their container is closed.
 */

import type { Clock } from '@o3/common/env'
import { StoreError } from '@o3/common/errors'
import type { BlockId, ContainerId, LocalId } from '@o3/scm/api'
import type { ContainerWriter } from '../storage/container-writer.ts'

/** A container's writer, as the datanode uses it. */
export type ReplicaWriter = Pick<ContainerWriter, 'write' | 'commit' | 'abort'>

interface OpenStream {
  readonly block: BlockId
  readonly writer: ReplicaWriter
  readonly ended: Promise<void>
  readonly end: () => void
  /** A commit that is under way may still succeed. */
  committing: Promise<unknown> | undefined
}

export class PipelineStreams {
  private readonly open = new Map<string, OpenStream>()
  /** Durable here, and no entry speaks of them yet. */
  private readonly unagreed = new Map<ContainerId, Set<LocalId>>()
  private readonly closed = new Set<ContainerId>()
  private readonly watchers = new Set<() => void>()

  /** The writer for the client. Its `commit` is `Unavailable` once the log has closed the container. */
  begin(block: BlockId, writer: ReplicaWriter): ReplicaWriter {
    const { promise, resolve } = Promise.withResolvers<void>()
    const key = keyOf(block)
    const end = (): void => {
      this.open.delete(key)
      resolve()
      this.changed()
    }
    const stream: OpenStream = { block, writer, ended: promise, end, committing: undefined }
    this.open.set(key, stream)
    const givenUp = async (error: unknown): Promise<never> => {
      await writer.abort()
      end()
      throw error
    }
    return {
      write: (pieces, known) => writer.write(pieces, known).catch(givenUp),
      commit: async () => {
        if (this.closed.has(block.container)) return await givenUp(closedContainer(block.container))
        const committing = writer.commit().then((done) => {
          this.noteCommitted(block)
          return done
        })
        stream.committing = committing
        const done = await committing.catch(givenUp)
        end()
        return done
      },
      abort: async () => {
        await writer.abort()
        end()
      },
    }
  }

  /** The stream of this block, when one is under way. */
  under(block: BlockId): { readonly ended: Promise<void>; abort(): Promise<void> } | undefined {
    const stream = this.open.get(keyOf(block))
    if (stream === undefined) return undefined
    return { ended: stream.ended, abort: () => giveUp(stream) }
  }

  /** The log speaks of the block. */
  agreed({ container, local }: BlockId): void {
    this.unagreed.get(container)?.delete(local)
    this.changed()
  }

  /** Blocks that are here and of which the log does not speak: other replicas may lack them. A restart forgets them. */
  unagreedIn(container: ContainerId): readonly LocalId[] {
    return [...(this.unagreed.get(container) ?? [])]
  }

  /** No stream into the container can be agreed to any more: those under way are given up. */
  async close(container: ContainerId): Promise<void> {
    this.closed.add(container)
    await Promise.all([...this.open.values()].filter(({ block }) => block.container === container).map(giveUp))
  }

  /** It is sealed: nothing about it needs to be known. */
  forget(container: ContainerId): void {
    this.unagreed.delete(container)
    this.closed.delete(container)
  }

  /** Resolves when no stream into the container is under way or waits to be agreed to, or after so long. */
  async quiet(container: ContainerId, clock: Clock, patienceMs: number): Promise<void> {
    const isQuiet = (): boolean =>
      this.unagreedIn(container).length === 0 &&
      ![...this.open.values()].some(({ block }) => block.container === container)
    if (isQuiet()) return
    await new Promise<void>((resolve) => {
      const over = (): void => {
        cancel()
        this.watchers.delete(look)
        resolve()
      }
      const look = (): void => {
        if (isQuiet()) over()
      }
      const cancel = clock.after(patienceMs, over)
      this.watchers.add(look)
    })
  }

  private noteCommitted({ container, local }: BlockId): void {
    const locals = this.unagreed.get(container) ?? new Set()
    this.unagreed.set(container, locals.add(local))
  }

  private changed(): void {
    for (const look of this.watchers) look()
  }
}

async function giveUp(stream: OpenStream): Promise<void> {
  await stream.writer.abort()
  // Its caller hears how it ended; here it only matters that it has.
  await Promise.allSettled([stream.committing])
  stream.end()
}

/** What a writer is told that comes too late. */
export function closedContainer(container: ContainerId): StoreError {
  return new StoreError('Unavailable', `container ${container} is closed: write to another block`, {
    details: { container, state: 'CLOSED' },
  })
}

/** Names a block in a map. */
export function keyOf({ container, local }: BlockId): string {
  return `${container}/${local}`
}
