import { isStoreError, StoreError } from '@o3/common/errors'
import type { SegmentedLog } from '@o3/ratis/log'
import type { Consensus, Entry, RecoveredMachine, SnapshotReceiver, SnapshotSource, StateMachine } from '@o3/ratis/node'

/** A state machine that keeps nothing: what is left is the cost of the group. */
export class SinkMachine implements StateMachine {
  private node: Consensus | undefined
  private readonly waiting = new Map<number, (isApplied: boolean) => void>()
  private onLead: (() => void)[] = []
  private isCutting = false
  private readonly everyBytes: number

  constructor(everyBytes = 32 * 1024 * 1024) {
    this.everyBytes = everyBytes
  }

  recover(log: SegmentedLog): Promise<RecoveredMachine> {
    const { checkpointIndex } = log.hardState
    const appliedTerm = log.termAt(checkpointIndex) ?? 0
    return Promise.resolve({ machine: this, appliedIndex: checkpointIndex, appliedTerm, configuration: undefined })
  }

  attach(node: Consensus): void {
    this.node = node
  }

  /** Resolves when it may propose. */
  leads(): Promise<void> {
    if (this.node?.mayPropose === true) return Promise.resolve()
    return new Promise((resolve) => this.onLead.push(resolve))
  }

  /** Resolves when it is applied; what was lost with the lead is proposed again. */
  async propose(payload: Uint8Array): Promise<void> {
    while (!(await this.proposed(payload))) await this.leads()
  }

  private proposed(payload: Uint8Array): Promise<boolean> {
    return new Promise((resolve) => {
      const { node } = this
      if (node === undefined) throw new StoreError('Closed', 'there is no member')
      if (node.mayPropose) this.waiting.set(node.propose(payload), resolve)
      else resolve(false)
    })
  }

  apply(entries: readonly Entry[]): undefined {
    for (const { index } of entries) {
      this.waiting.get(index)?.(true)
      this.waiting.delete(index)
    }
    const last = entries.at(-1)
    const { node } = this
    if (last === undefined || node === undefined || this.isCutting || node.log.bytes < 2 * this.everyBytes) return
    void this.cut(node, last.index)
  }

  private async cut(node: Consensus, index: number): Promise<void> {
    this.isCutting = true
    try {
      await node.checkpointed(index, this.everyBytes)
    } catch (error) {
      // It was closed meanwhile.
      if (!isStoreError(error, 'Closed')) throw error
    }
    this.isCutting = false
  }

  lead(): void {
    for (const resolve of this.onLead.splice(0)) resolve()
  }

  refuse(): void {
    throw new StoreError('Internal', 'the disk of a benchmark is full')
  }

  follow(): void {
    for (const resolve of this.waiting.values()) resolve(false)
    this.waiting.clear()
  }

  fail(error: StoreError): void {
    throw error
  }

  openSnapshot(): Promise<SnapshotSource> {
    return Promise.reject(new StoreError('Unavailable', 'a sink has no snapshots'))
  }

  openReceiver(): Promise<SnapshotReceiver> {
    return Promise.reject(new StoreError('Unavailable', 'a sink has no snapshots'))
  }
}
