import { assert } from '@o3/common/errors'

/** A place in the log. */
export interface LogPlace {
  readonly index: number
  readonly term: number
}

interface Item {
  readonly place: LogPlace
  readonly bytes: number
  isDurable: boolean
}

/**
 * Entries are applied in order and become durable in any: up to where are all of them? Only from there on does a restart
 * need the log.
 */
export class DurableWindow {
  private durable: LogPlace
  private readonly items = new Map<number, Item>()
  private heldBytes = 0
  private pendingBytes = 0

  /** Everything up to `place` is durable. */
  constructor(place: LogPlace) {
    this.durable = place
  }

  /** All entries up to here are durable. */
  get place(): LogPlace {
    return this.durable
  }

  /** Bytes of the entries behind `place`: how much of the log one slow entry keeps. */
  get held(): number {
    return this.heldBytes
  }

  /** Bytes of the entries that are not durable. */
  get pending(): number {
    return this.pendingBytes
  }

  /** The next entry was applied. */
  add(place: LogPlace, bytes: number): void {
    assert(place.index === this.durable.index + this.items.size + 1, 'entries are applied in their order')
    this.items.set(place.index, { place, bytes, isDurable: false })
    this.heldBytes += bytes
    this.pendingBytes += bytes
  }

  /** It is durable, or nothing of it will ever be: it need not be applied again. */
  done(index: number): void {
    const item = this.items.get(index)
    assert(item !== undefined && !item.isDurable, 'an entry becomes durable once')
    item.isDurable = true
    this.pendingBytes -= item.bytes
    for (;;) {
      const next = this.items.get(this.durable.index + 1)
      if (next?.isDurable !== true) return
      this.items.delete(next.place.index)
      this.heldBytes -= next.bytes
      this.durable = next.place
    }
  }
}
