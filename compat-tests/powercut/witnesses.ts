/** What the witness in the guest said before a cut, and found after it. */

export class Witnesses {
  /** Numbers of the file that is not synced that were said and are gone. */
  unsyncedLost = 0
  syncedLost = 0
  private readonly said = { synced: 0, unsynced: 0 }

  /** The console of one life of the guest, when it is over. */
  listen(console: string): void {
    for (const [, kind, verb, number] of console.matchAll(/^witness (synced|unsynced) (found|wrote) (\d+)\r?$/gm)) {
      if (kind !== 'synced' && kind !== 'unsynced') continue
      if (verb === 'found') {
        const lost = Math.max(0, this.said[kind] - Number(number))
        if (kind === 'synced') this.syncedLost += lost
        else this.unsyncedLost += lost
      }
      this.said[kind] = Number(number)
    }
  }
}
