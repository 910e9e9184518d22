import type { BinaryKey, KvEntry, KvWrite } from './kv.ts'

/** A leaf is split in two when it grows beyond this. */
const leafCapacity = 128

interface Leaf {
  readonly keys: BinaryKey[]
  readonly values: Uint8Array[]
}

/** A place between entries: the next entry forward is `leaf[index]`, the next one backward is the one before it. */
export interface Place {
  readonly leaf: number
  readonly index: number
}

/**
 * An immutable ordered map: `apply` makes a new one that shares every leaf it did not change, so a snapshot is a
 * reference. Two levels are enough: with 100,000 entries a write copies a leaf and some thousand pointers.
 */
export class SortedMap {
  static readonly empty = new SortedMap([])

  /** Never empty leaves, in key order. */
  readonly #leaves: readonly Leaf[]

  private constructor(leaves: readonly Leaf[]) {
    this.#leaves = leaves
  }

  get(key: BinaryKey): Uint8Array | undefined {
    const leaf = this.#leaves[leafOf(this.#leaves, key)]
    if (leaf === undefined) return undefined
    const index = lowerBound(leaf.keys, key)
    return leaf.keys[index] === key ? leaf.values[index] : undefined
  }

  apply(batch: readonly KvWrite[]): SortedMap {
    const leaves = this.#leaves.slice()
    const own = new Set<Leaf>()
    for (const write of batch) applyOne(leaves, own, write)
    return new SortedMap(leaves)
  }

  /** The place before the first entry ≥ `key`. */
  placeOf(key: BinaryKey): Place {
    const leaf = leafOf(this.#leaves, key)
    const keys = this.#leaves[leaf]?.keys
    return { leaf, index: keys === undefined ? 0 : lowerBound(keys, key) }
  }

  entryAfter(place: Place): { readonly entry: KvEntry; readonly place: Place } | undefined {
    let { leaf, index } = place
    if (index >= (this.#leaves[leaf]?.keys.length ?? 0)) {
      leaf++
      index = 0
    }
    const entry = entryAt(this.#leaves[leaf], index)
    return entry && { entry, place: { leaf, index: index + 1 } }
  }

  entryBefore(place: Place): { readonly entry: KvEntry; readonly place: Place } | undefined {
    let { leaf, index } = place
    if (index === 0) {
      leaf--
      index = this.#leaves[leaf]?.keys.length ?? 0
    }
    const entry = entryAt(this.#leaves[leaf], index - 1)
    return entry && { entry, place: { leaf, index: index - 1 } }
  }
}

function entryAt(leaf: Leaf | undefined, index: number): KvEntry | undefined {
  const key = leaf?.keys[index]
  const value = leaf?.values[index]
  return key === undefined || value === undefined ? undefined : { key, value }
}

/** Changes `leaves` in place; leaves in `own` belong to this batch and may be changed too. */
function applyOne(leaves: Leaf[], own: Set<Leaf>, write: KvWrite): void {
  const at = leafOf(leaves, write.key)
  const found = leaves[at]
  if (found === undefined) {
    if (write.kind === 'put') insertLeaf(leaves, own, 0, { keys: [write.key], values: [write.value] })
    return
  }
  const index = lowerBound(found.keys, write.key)
  const exists = found.keys[index] === write.key
  if (write.kind === 'delete' && !exists) return
  const leaf = own.has(found) ? found : { keys: found.keys.slice(), values: found.values.slice() }
  own.add(leaf)
  leaves[at] = leaf
  if (write.kind === 'put') {
    if (exists) leaf.values[index] = write.value
    else {
      leaf.keys.splice(index, 0, write.key)
      leaf.values.splice(index, 0, write.value)
    }
  } else {
    leaf.keys.splice(index, 1)
    leaf.values.splice(index, 1)
  }
  if (leaf.keys.length === 0) leaves.splice(at, 1)
  else if (leaf.keys.length > leafCapacity) {
    const half = leafCapacity / 2
    insertLeaf(leaves, own, at + 1, { keys: leaf.keys.splice(half), values: leaf.values.splice(half) })
  }
}

function insertLeaf(leaves: Leaf[], own: Set<Leaf>, at: number, leaf: Leaf): void {
  leaves.splice(at, 0, leaf)
  own.add(leaf)
}

/** The last leaf whose first key is ≤ `key`; the first one for smaller keys. */
function leafOf(leaves: readonly Leaf[], key: BinaryKey): number {
  let low = 0
  let high = leaves.length
  while (low < high) {
    const middle = (low + high) >>> 1
    const first = leaves[middle]?.keys[0]
    if (first !== undefined && first <= key) low = middle + 1
    else high = middle
  }
  return Math.max(0, low - 1)
}

/** The index of the first key ≥ `key`. */
function lowerBound(keys: readonly BinaryKey[], key: BinaryKey): number {
  let low = 0
  let high = keys.length
  while (low < high) {
    const middle = (low + high) >>> 1
    const candidate = keys[middle]
    if (candidate !== undefined && candidate < key) low = middle + 1
    else high = middle
  }
  return low
}
