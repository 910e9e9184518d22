import type { DiskFault, SiteVerdict } from '@o3/common/env/sim'
import type { HddsFaultSite } from '../../src/api/fault-sites.ts'
import { auditDatanode, auditDeleted } from './audit.ts'
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
  /** How lives end that do not end at a site; default: by chance. */
  readonly endBy?: 'crash' | 'kill'
  /** Called before each start. */
  readonly onStart?: (machine: Machine) => void
  /** Called after each start, to arm faults. */
  readonly onStarted?: (machine: Machine) => void
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
    const verdictAt = endOfLife({ endAt, endBy: options.endBy, random }, () => {
      isDead = true
      if (endAt !== undefined) machine.deathsAt.set(endAt.site, (machine.deathsAt.get(endAt.site) ?? 0) + 1)
    })
    node.onSite = (site) => {
      program.atSite(site)
      return verdictAt(site)
    }
    node.boot()
    program.begin()
    options.onStart?.(machine)
    const outcome = await node.whileUp(
      (async () => {
        const datanode = await machine.start()
        await program.check(datanode)
        options.onStarted?.(machine)
        await program.run(datanode, 2 + random.below(6))
        if (random.chance(0.3)) await datanode.close()
      })(),
    )
    if (outcome === 'down') return
    isDead = true
    if (options.endBy === 'crash' || (options.endBy === undefined && random.chance(0.7))) node.crash()
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
    await auditDeleted(machine.env, datanode)
  })
  return machine
}

interface EndOfLife {
  readonly endAt: SiteDeath | undefined
  readonly endBy: 'crash' | 'kill' | undefined
  readonly random: { below(limit: number): number; chance(probability: number): boolean }
}

function endOfLife({ endAt, endBy, random }: EndOfLife, died: () => void): (site: string) => SiteVerdict {
  const verdict = endAt?.verdict ?? endBy ?? (random.chance(0.7) ? 'crash' : 'kill')
  let left = endAt !== undefined ? (random.chance(0.3) ? 1 : 0) : random.chance(0.6) ? random.below(120) : Infinity
  return (site) => {
    if (endAt !== undefined && site !== endAt.site) return 'go-on'
    if (left-- > 0) return 'go-on'
    left = Infinity
    died()
    return verdict
  }
}

/** A write or sync of a container file that fails, or finds the disk full, some time in this life. */
export function armRandomFault({ node, simulation }: Machine): void {
  const { random } = simulation
  const faults: readonly DiskFault[] = [
    { operation: 'sync', errno: 'EIO' },
    { operation: 'write', errno: 'EIO', landedBytes: random.below(5000) },
    { operation: 'write', errno: 'ENOSPC', landedBytes: random.below(5000) },
    { operation: 'truncate', errno: 'EIO' },
  ]
  const fault = faults[random.below(faults.length)]
  if (fault !== undefined)
    node.disk.inject({ ...fault, path: /containers\/.*\.(cnt|unfinished)$/, after: random.below(25) })
}
