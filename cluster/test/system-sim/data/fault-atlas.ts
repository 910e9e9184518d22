/**
 * What may be destroyed so that zero loss can be demanded all the same. Pure. It is told the truth, as the simulation knows it, and
 * not what SCM believes: a replica that nobody has found rotten yet is no copy.
 */

/** The bytes of one container, and where they are. */
export interface Holding {
  readonly container: number
  /** Machines that have all of its blocks, durably and sound: replicas that were closed by agreement. */
  readonly whole: readonly string[]
  /** Machines that still have whatever they were given of it: members of its pipeline, replicas that were sealed alone. */
  readonly partial: readonly string[]
  /** How many members its pipeline has or had: a block was acknowledged when most of them had it. */
  readonly origins: number
  /** Once it is encoded: for each shard the machines that have it whole. */
  readonly shards?: readonly (readonly string[])[]
  /** So many shards give back everything. */
  readonly dataShards: number
}

/**
 * Whether all that was acknowledged would still be there if the machine lost what it has of this container: in one whole
 * replica, in so many partial ones that every majority of the origins has one among them, or in enough shards.
 */
export function mayLoseHolding(holding: Holding, machine: string): boolean {
  const { whole, partial, origins, shards, dataShards } = holding
  const isOther = (id: string): boolean => id !== machine
  if (shards !== undefined) return shards.filter((at) => at.some(isOther)).length >= dataShards
  if (whole.some(isOther)) return true
  // It never had anything of it that counts, so nothing is lost that is not lost already.
  if (!whole.includes(machine) && !partial.includes(machine)) return true
  // A majority wrote it; so what any majority still has among it is everything.
  return partial.filter(isOther).length >= Math.floor(origins / 2) + 1
}

/** The whole disk of a machine. */
export function mayWipe(holdings: Iterable<Holding>, machine: string): boolean {
  for (const holding of holdings) if (!mayLoseHolding(holding, machine)) return false
  return true
}
