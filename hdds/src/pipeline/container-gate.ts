import type { ContainerId } from '@o3/scm/api'

/** `begun`: it is durable on a majority, and only waits to be agreed to. */
export type Admitted = 'new' | 'begun'

/** Which containers take blocks, as the leader sees it, who is the one to close them. */
export class ContainerGate {
  private readonly closings = new Map<ContainerId, Promise<void>>()
  /** Their close is about to be proposed. */
  private readonly finished = new Set<ContainerId>()
  /** Not yet committed. */
  private readonly proposals = new Map<ContainerId, Set<Promise<void>>>()

  /** While streams that have begun come to their end, those may still be agreed to; later nothing may be proposed. */
  admits(id: ContainerId, block: Admitted): boolean {
    return !this.finished.has(id) && (block === 'begun' || !this.closings.has(id))
  }

  /** No new block from now on, until `close` has ended, however it does. Whoever comes meanwhile shares it. */
  closing(id: ContainerId, close: () => Promise<void>): Promise<void> {
    const under = this.closings.get(id)
    if (under !== undefined) return under
    // In the next turn of promises, when this one is known.
    const closing = Promise.resolve()
      .then(close)
      .finally(() => {
        this.closings.delete(id)
        this.finished.delete(id)
      })
    this.closings.set(id, closing)
    return closing
  }

  /** Within `closing`: nothing is proposed any more. Resolves when what was is committed, or its fate is unknown. */
  async finish(id: ContainerId): Promise<void> {
    this.finished.add(id)
    await Promise.allSettled(this.proposals.get(id) ?? new Set<Promise<void>>())
  }

  /** A proposal about the container is under way. */
  track(id: ContainerId, proposal: Promise<void>): Promise<void> {
    const under = this.proposals.get(id) ?? new Set()
    this.proposals.set(id, under.add(proposal))
    const over = (): void => {
      under.delete(proposal)
      if (under.size === 0 && this.proposals.get(id) === under) this.proposals.delete(id)
    }
    proposal.then(over, over)
    return proposal
  }
}
