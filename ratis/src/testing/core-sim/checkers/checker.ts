import type { Entry, NodeId } from '../../../core/entry.ts'
import type { Message } from '../../../core/message.ts'
import type { Raft } from '../../../core/raft.ts'
import type { Persist, RoleChange } from '../../../core/ready.ts'
import type { Effect, KvMachine } from '../kv-machine.ts'
import type { MemberDisk } from '../member-disk.ts'

/** A member that is up, as checkers see it. */
export interface MemberView {
  readonly id: NodeId
  /** Counts its starts. */
  readonly incarnation: number
  readonly core: Raft
  readonly disk: MemberDisk
  readonly machine: KvMachine
}

/** What a client was told. */
export interface Acknowledged {
  readonly client: number
  readonly number: number
  readonly index: number
}

export interface ServedRead {
  readonly id: number
  /** What the core said. */
  readonly readIndex: number
  readonly appliedIndex: number
}

/** Stands by all the time; throws `SimViolation` when its promise is broken. */
export interface Checker {
  readonly name: string
  roleChanged?(member: MemberView, change: RoleChange): void
  /** The message is about to leave. */
  sending?(member: MemberView, message: Message): void
  delivered?(member: MemberView, message: Message): void
  /** A write has just become so. */
  durable?(member: MemberView, persist: Persist): void
  applied?(member: MemberView, entry: Entry, effect: Effect | undefined): void
  /** A snapshot took the place of the state. */
  installed?(member: MemberView): void
  /** After every input. */
  stepped?(member: MemberView): void
  readBegan?(id: number): void
  readServed?(read: ServedRead): void
  acknowledged?(acknowledged: Acknowledged): void
}
