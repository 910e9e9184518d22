import type { Clock } from '@o3/common/env'
import type { ReplicatedStore, StateView } from '@o3/ratis/api'
import type { LeaseId, OmCommand, OmReply } from '../api/api.ts'
import { leases } from '../core/rows/lease.ts'
import { scanRows } from '../storage/cursors.ts'
import type { Reconciler } from './reconciler.ts'

const maxPerRound = 256

/** Ends the leases that ran out: the blocks that nobody committed become garbage. */
export class LeaseExpiry implements Reconciler {
  readonly name = 'om.lease-expiry'
  private readonly store: ReplicatedStore<OmCommand, OmReply>
  private readonly clock: Clock

  constructor(parts: { readonly store: ReplicatedStore<OmCommand, OmReply>; readonly clock: Clock }) {
    this.store = parts.store
    this.clock = parts.clock
  }

  async round(): Promise<'idle' | 'more'> {
    const nowMs = this.clock.wallMs()
    const over = await this.store.read((view) => expired(view, nowMs))
    // A lease that is renewed in this moment is ended all the same: its holder is told so when it commits.
    await Promise.all(over.map((lease) => this.store.execute({ kind: 'end-lease', lease })))
    return over.length < maxPerRound ? 'idle' : 'more'
  }
}

async function expired(view: StateView, nowMs: number): Promise<readonly LeaseId[]> {
  const over: LeaseId[] = []
  await scanRows(view, { table: leases, range: { from: '' } }, ({ key, value }) => {
    if (value.expiresMs <= nowMs) over.push(key)
    return over.length === maxPerRound ? 'stop' : undefined
  })
  return over
}
