import type { ReplicationConfig } from '../api/api.ts'
import { LeaseHolder } from './lease-holder.ts'
import type { LeaseHolderOptions } from './lease-holder.ts'

/** A `LeaseHolder` for each way of replicating that is written; they lease nothing before the first block is drawn. */
export class LeaseHolders {
  private readonly options: Omit<LeaseHolderOptions, 'replication'>
  private readonly holders = new Map<ReplicationConfig, LeaseHolder>()
  private isClosed = false

  constructor(options: Omit<LeaseHolderOptions, 'replication'>) {
    this.options = options
  }

  of(replication: ReplicationConfig): LeaseHolder {
    let holder = this.holders.get(replication)
    if (holder === undefined) {
      holder = new LeaseHolder({ ...this.options, replication })
      this.holders.set(replication, holder)
      // Marked at once, before anything is leased: who draws from it is told `Closed`.
      if (this.isClosed) void holder.close()
    }
    return holder
  }

  /** Ends every lease that no body holds open. Idempotent. */
  async close(): Promise<void> {
    this.isClosed = true
    await Promise.all([...this.holders.values()].map((holder) => holder.close()))
  }
}
