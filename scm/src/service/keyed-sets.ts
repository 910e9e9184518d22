const empty: ReadonlySet<never> = new Set()

/** A set for each key that has something in it. */
export class KeyedSets<Key, Value> {
  private readonly sets = new Map<Key, Set<Value>>()

  get(key: Key): ReadonlySet<Value> {
    return this.sets.get(key) ?? empty
  }

  add(key: Key, value: Value): void {
    const found = this.sets.get(key)
    if (found === undefined) this.sets.set(key, new Set([value]))
    else found.add(value)
  }

  delete(key: Key, value: Value): void {
    const found = this.sets.get(key)
    found?.delete(value)
    if (found?.size === 0) this.sets.delete(key)
  }
}
