import type { Lease } from '@o3/om/api'
import type { BlockRange, ScmBlockProtocol } from '@o3/scm/api'
import { blockName } from './model-datanode.ts'
import type { Accuse } from './violation.ts'

/** Who got which block: SCM hands out none twice, and OM leases none twice. */
export class BlockBook {
  private readonly handedOut = new Map<string, string>()
  private readonly leased = new Map<string, number>()
  private readonly accuse: Accuse

  constructor(accuse: Accuse) {
    this.accuse = accuse
  }

  get blocks(): number {
    return this.handedOut.size
  }

  /** SCM, as one member of OM asks it. */
  watched(scm: ScmBlockProtocol, asker: string): ScmBlockProtocol {
    return {
      allocateBlocks: async (request, options) => {
        const ranges = await scm.allocateBlocks(request, options)
        for (const name of namesOf(ranges)) {
          const other = this.handedOut.get(name)
          if (other !== undefined) {
            this.accuse('blocks-once', `SCM handed out block ${name} to ${other}, and again to ${asker}`)
          }
          this.handedOut.set(name, asker)
        }
        return ranges
      },
      deleteBlocks: (blocks, options) => scm.deleteBlocks(blocks, options),
    }
  }

  /** A lease that a client was given. */
  granted({ id, ranges }: Lease): void {
    for (const name of namesOf(ranges)) {
      const other = this.leased.get(name)
      if (other !== undefined && other !== id) {
        this.accuse('leases-once', `block ${name} is of lease ${other} and of lease ${id}`)
      }
      this.leased.set(name, id)
    }
  }
}

export function* namesOf(ranges: readonly BlockRange[]): Generator<string> {
  for (const { container, firstLocal, count } of ranges) {
    for (let local = firstLocal; local < firstLocal + count; local++) yield blockName({ container, local })
  }
}
