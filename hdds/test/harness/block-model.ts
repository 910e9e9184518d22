/**
 * What a datanode may show, block by block, given what was asked of it and what it answered. The promises of the
 * block store, as a state machine of a few lines:
 *
 * - `acknowledged`: the bytes are there, whatever happens.
 * - `unknown`: a write without an answer: all of its bytes or none. What a reader has once seen stays so.
 * - `absent`: never written, given up, or deleted with an answer: not there, and it does not come back.
 * - `vanishing`: a deletion without an answer: there with all of its bytes, or not there.
 */

import { isStoreError } from '@o3/common/errors'
import type { BlockId } from '@o3/scm/api'
import type { BlockStore } from '../../src/api/api.ts'
import { maxChunkBytes } from '../../src/api/api.ts'
import { patternOf, sameBytes } from './bytes.ts'

type State = 'unknown' | 'acknowledged' | 'vanishing' | 'absent'

export interface ModelBlock {
  readonly block: BlockId
  readonly lengthBytes: number
  readonly content: Uint8Array
  state: State
}

export class BlockModel {
  readonly blocks: ModelBlock[] = []

  add(block: BlockId, lengthBytes: number): ModelBlock {
    const content = patternOf(block.container * 1_000_003 + block.local, lengthBytes)
    const entry: ModelBlock = { block, lengthBytes, content, state: 'unknown' }
    this.blocks.push(entry)
    return entry
  }

  /** Reads every block and throws at the first broken promise. */
  async check(store: BlockStore): Promise<void> {
    for (const entry of this.blocks) await this.checkBlock(store, entry)
  }

  private async checkBlock(store: BlockStore, entry: ModelBlock): Promise<void> {
    const seen = await lookAt(store, entry)
    const name = `block ${entry.block.container}/${entry.block.local} (${entry.lengthBytes} bytes, ${entry.state})`
    if (seen === 'wrong') throw new Error(`${name} shows wrong bytes`)
    if (seen === 'there' && entry.state === 'absent') throw new Error(`${name} came back`)
    if (seen === 'missing' && entry.state === 'acknowledged') throw new Error(`${name} is lost`)
    entry.state = seen === 'there' ? (entry.state === 'vanishing' ? 'vanishing' : 'acknowledged') : 'absent'
  }
}

async function lookAt(store: BlockStore, entry: ModelBlock): Promise<'there' | 'missing' | 'wrong'> {
  try {
    return sameBytes(await readAll(store, entry), entry.content) ? 'there' : 'wrong'
  } catch (error) {
    if (isStoreError(error, 'BlockNotFound', 'ContainerNotFound')) return 'missing'
    // A block that is shorter than what was written is torn.
    if (isStoreError(error, 'InvalidRange')) return 'wrong'
    throw error
  }
}

async function readAll(store: BlockStore, { block, lengthBytes }: ModelBlock): Promise<Uint8Array> {
  const range = { offset: 0, length: lengthBytes }
  // Both ways of reading have their turn.
  if (lengthBytes <= maxChunkBytes && block.local % 2 === 0) return await store.readSmall(block, range)
  const pieces: Uint8Array[] = []
  for await (const piece of store.read(block, range)) pieces.push(Uint8Array.from(piece))
  return Buffer.concat(pieces)
}
