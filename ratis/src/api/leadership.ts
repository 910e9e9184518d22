/** Whether this member leads, and in which term. */

import { StoreError } from '@o3/common/errors'
import type { ErrorRecord } from '@o3/common/errors'
import type { StoreStatus, Term } from './api.ts'

/** Where a member stands in its group. It can serve while it `leads`, or `follows` one who does. */
export type Standing =
  | { readonly kind: 'leads'; readonly term: Term }
  | { readonly kind: 'follows'; readonly term: Term; readonly leader: string }
  /** No leader is known: an election is under way, or most members are away. */
  | { readonly kind: 'seeks'; readonly term: Term }
  /** Its log is done for until a restart. */
  | { readonly kind: 'failed'; readonly error: ErrorRecord }

/**
 * What the store says of this member, as the services ask it. It is this member's belief: who was deposed may not know it
 * yet. So it spares work and keeps apart what belongs to different terms; that a change or a read is right is for the
 * store to say, by its log and its read barrier.
 */
export class Leadership {
  private readonly service: string
  private readonly store: { status(): StoreStatus }

  /** `service`: for messages, 'OM'. */
  constructor(service: string, store: { status(): StoreStatus }) {
    this.service = service
    this.store = store
  }

  /** The term in which it leads; undefined while it does not. Terms never come again. */
  get term(): Term | undefined {
    const { role, term } = this.store.status()
    return role === 'leader' ? term : undefined
  }

  /**
   * The term in which it leads, or `NotLeader`, with `leader`, its `address` and its `term` in the details when they are
   * known. A caller that names another term (see `ExecuteOptions.term`) meant another leader.
   */
  expectTerm(named?: Term): Term {
    const { role, term, leader, leaderAddress: address } = this.store.status()
    if (role === 'leader' && (named === undefined || named === term)) return term
    throw new StoreError('NotLeader', `this member of ${this.service} does not lead in that term`, {
      details: leader === undefined ? {} : address === undefined ? { leader, term } : { leader, address, term },
    })
  }

  standing(): Standing {
    const { role, term, leader, failed } = this.store.status()
    if (failed !== undefined) return { kind: 'failed', error: failed }
    if (role === 'leader') return { kind: 'leads', term }
    return leader === undefined ? { kind: 'seeks', term } : { kind: 'follows', term, leader }
  }
}
