import type { SiteVerdict } from '@o3/common/env/sim'
import type { HddsFaultSite } from '../../src/api/fault-sites.ts'
import { auditDatanode } from './audit.ts'
import { BlockModel } from './block-model.ts'
import { Machine } from './machine.ts'
import type { MachineOptions } from './machine.ts'
import { Program } from './program.ts'
import type { MixName } from './program.ts'

export interface LivesOptions extends MachineOptions {
  /** How often the datanode dies before the last look. Default 4. */
  readonly lives?: number
  readonly mix?: MixName
  /** Where the lives end, in turn, if they get there; undefined: at a random site or moment. */
  readonly endAt?: readonly (SiteDeath | undefined)[]
  /** Called at each start, to arm faults. */
  readonly onStart?: (machine: Machine) => void
}

export interface SiteDeath {
  readonly site: HddsFaultSite
  readonly verdict: 'crash' | 'kill'
}

/**
 * Lives of a datanode, each ended by a power cut, a kill or an orderly stop. The promises of the block store are checked
 * at each start, and after the last one the books are audited. Throws at the first broken promise.
 */
export async function runLives(options: LivesOptions): Promise<Machine> {
  const machine = new Machine(options)
  const { node, simulation } = machine
  const random = simulation.random.fork('program')
  const model = new BlockModel()
  let isDead = false
  const program = new Program({ random, model, isDead: () => isDead, mix: options.mix ?? 'everything' })

  const life = async (number: number): Promise<void> => {
    isDead = false
    const endAt = options.endAt?.[number % options.endAt.length]
    node.onSite = endOfLife(endAt, random, () => {
      isDead = true
      if (endAt !== undefined) machine.deathsAt.set(endAt.site, (machine.deathsAt.get(endAt.site) ?? 0) + 1)
    })
    node.boot()
    options.onStart?.(machine)
    const outcome = await node.whileUp(
      (async () => {
        const datanode = await machine.start()
        await program.check(datanode)
        await program.run(datanode, 2 + random.below(6))
        if (random.chance(0.3)) await datanode.close()
      })(),
    )
    if (outcome === 'down') return
    isDead = true
    if (random.chance(0.7)) node.crash()
    else node.kill()
  }

  await machine.run(async () => {
    for (let i = 0; i < (options.lives ?? 4); i++) await life(i)
    node.onSite = () => 'go-on'
    isDead = false
    const datanode = await machine.start()
    await program.check(datanode)
    await auditDatanode(datanode)
    await datanode.close()
  })
  return machine
}

function endOfLife(
  endAt: SiteDeath | undefined,
  random: { below(limit: number): number; chance(probability: number): boolean },
  died: () => void,
): (site: string) => SiteVerdict {
  const verdict = endAt?.verdict ?? (random.chance(0.7) ? 'crash' : 'kill')
  let left = endAt !== undefined ? (random.chance(0.3) ? 1 : 0) : random.chance(0.6) ? random.below(120) : Infinity
  return (site) => {
    if (endAt !== undefined && site !== endAt.site) return 'go-on'
    if (left-- > 0) return 'go-on'
    left = Infinity
    died()
    return verdict
  }
}
