/** How many containers are in which health, with a few of each to look at. */

import { containerHealths } from '../../api/api.ts'
import type { ContainerHealth, ContainerId } from '../../api/api.ts'

export interface HealthCount {
  readonly health: ContainerHealth
  readonly containers: number
  /** At most 100 of them, in the order of their ids. */
  readonly sample: readonly ContainerId[]
}

const sampleSize = 100

/** Kept as assessments change, so that a report costs nothing like a look at every container. */
export class HealthTally {
  private readonly known = new Map<ContainerId, ContainerHealth>()
  private readonly members = new Map<ContainerHealth, Set<ContainerId>>(
    containerHealths.map((health) => [health, new Set()]),
  )

  /** Undefined: it is not judged any more. */
  note(container: ContainerId, health: ContainerHealth | undefined): void {
    const before = this.known.get(container)
    if (before === health) return
    if (before !== undefined) this.members.get(before)?.delete(container)
    if (health === undefined) {
      this.known.delete(container)
      return
    }
    this.known.set(container, health)
    this.members.get(health)?.add(container)
  }

  healthOf(container: ContainerId): ContainerHealth | undefined {
    return this.known.get(container)
  }

  /** Every health, in the order of `containerHealths`. */
  report(): readonly HealthCount[] {
    return containerHealths.map((health) => {
      const found = this.members.get(health) ?? new Set<ContainerId>()
      const sample: ContainerId[] = []
      for (const container of found) {
        if (sample.length === sampleSize) break
        sample.push(container)
      }
      return { health, containers: found.size, sample: sample.toSorted((a, b) => a - b) }
    })
  }
}
