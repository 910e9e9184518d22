interface Slot<Row> {
  row: Row | undefined
  /** Of the read that `row` came from. */
  ticket: number
  reading: number
}

/**
 * Rows of one table in memory, kept up to date by whoever changes them: after each change its rows are read again. Reads may
 * overtake one another; the one that was begun last is right, for it was begun after the changes of the others.
 */
export class RowMirror<Key, Row> {
  private readonly read: (key: Key) => Row | undefined | Promise<Row | undefined>
  private readonly changed: (key: Key, before: Row | undefined, after: Row | undefined) => void
  private readonly slots = new Map<Key, Slot<Row>>()
  private tickets = 0

  constructor(
    read: (key: Key) => Row | undefined | Promise<Row | undefined>,
    changed: (key: Key, before: Row | undefined, after: Row | undefined) => void,
  ) {
    this.read = read
    this.changed = changed
  }

  /** At the start, before anything is refreshed. */
  load(key: Key, row: Row): void {
    this.slots.set(key, { row, ticket: 0, reading: 0 })
    this.changed(key, undefined, row)
  }

  get(key: Key): Row | undefined {
    return this.slots.get(key)?.row
  }

  *keys(): Iterable<Key> {
    for (const [key, { row }] of this.slots) if (row !== undefined) yield key
  }

  /** Resolves when what is here is at least as new as the row was when this was called. */
  async refresh(key: Key): Promise<void> {
    const ticket = ++this.tickets
    let slot = this.slots.get(key)
    if (slot === undefined) {
      slot = { row: undefined, ticket: 0, reading: 0 }
      this.slots.set(key, slot)
    }
    slot.reading++
    try {
      const row = await this.read(key)
      if (ticket < slot.ticket) return
      const before = slot.row
      slot.row = row
      slot.ticket = ticket
      this.changed(key, before, row)
    } finally {
      slot.reading--
      // Kept while an older read is under way, which would take what is gone for new.
      if (slot.row === undefined && slot.reading === 0) this.slots.delete(key)
    }
  }
}
