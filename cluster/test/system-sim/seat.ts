import type { Clock, Env } from '@o3/common/env'
import type { Lease } from '@o3/om/api'
import type { RemoteOm } from '@o3/om/client'

/** A machine of clients, as a gateway is one. */
export interface Seat {
  readonly env: Env & { readonly clock: Clock }
  readonly om: RemoteOm
  /** Each member by itself, whoever leads. */
  readonly members: Map<string, RemoteOm>
}

/** The blocks that one client may write to. */
export class SeatLease {
  lease: Lease | undefined
  private left: { readonly container: number; readonly local: number }[] = []

  take(lease: Lease): void {
    this.lease = lease
    this.left = lease.ranges.flatMap(({ container, firstLocal, count }) =>
      Array.from({ length: count }, (_, n) => ({ container, local: firstLocal + n })),
    )
  }

  draw(): { readonly container: number; readonly local: number } | undefined {
    return this.left.shift()
  }
}
