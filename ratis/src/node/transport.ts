/** How messages get to other members. One transport per process carries all groups, over one connection per peer. */

import type { Message } from '../core/message.ts'
import type { NodeId } from '../core/entry.ts'
import type { Ticks } from './ticks.ts'

export interface RaftTransport {
  /** The clock of all groups of this process: what they send because time has passed then leaves together. Default: each has its own. */
  readonly ticks?: Ticks
  /**
   * Sends, or drops: a message is never worth waiting for. False: it was not taken (no connection, or the peer's queue, which
   * is bounded in bytes, is full). Nothing is kept for a peer that does not read.
   */
  send(group: string, message: Message): boolean
  /** Where a member listens; may change. */
  setAddress(id: NodeId, address: string): void
  /** Messages to a group of this process. Returns the way to stop. */
  receive(group: string, onMessage: (message: Message) => void): () => void
  close(): Promise<void>
}
