import { describe, expect, test } from 'vitest'
import { hddsFaultSites } from '../../src/api/fault-sites.ts'
import type { HddsFaultSite } from '../../src/api/fault-sites.ts'
import { runLives } from '../harness/lives.ts'
import type { SiteDeath } from '../harness/lives.ts'
import type { MixName } from '../harness/program.ts'

/** So many processes must have died at each site, in each way. */
const deathsWanted = 2
const seedsAllowed = 200

/** Programs that come by. */
function mixFor(site: HddsFaultSite): MixName {
  if (site === 'hdds.recover.older-removed') return 'reclaim'
  if (/copy|quarantine/.test(site)) return 'copies'
  if (site.startsWith('hdds.recover')) return 'smallWrites'
  return /compact|container|close|file/.test(site) ? 'reclaim' : 'everything'
}

/** A death that leaves something to do for the start that passes the site. */
function deathBefore(site: HddsFaultSite): SiteDeath {
  if (site === 'hdds.recover.older-removed') return { site: 'hdds.compact.before-directory-sync', verdict: 'kill' }
  return { site: 'hdds.write.before-sync', verdict: 'crash' }
}

describe.each(['crash', 'kill'] as const)('a datanode survives a %s at', (verdict) => {
  test.each(hddsFaultSites)('%s', { timeout: 60_000 }, async (site) => {
    // The first life of a disk, and a start after a death amid writes, pass sites that others do not.
    const endAt = [{ site, verdict }, deathBefore(site)]
    let deaths = 0
    for (let seed = 1; seed <= seedsAllowed && deaths < deathsWanted; seed++) {
      const machine = await runLives({ seed: `${site}-${seed}`, endAt, mix: mixFor(site) })
      deaths += machine.deathsAt.get(site) ?? 0
    }
    expect(deaths).toBeGreaterThanOrEqual(deathsWanted)
  })
})

test('power cuts amid a start that writes durable records again lose none of them', { timeout: 60_000 }, async () => {
  const endAt = [
    { site: 'hdds.write.after-sync', verdict: 'crash' },
    { site: 'hdds.recover.rewritten', verdict: 'crash' },
  ] as const
  let deaths = 0
  for (let seed = 1; seed <= 60; seed++) {
    const machine = await runLives({ seed: `rewritten-${seed}`, endAt, lives: 8 })
    deaths += machine.deathsAt.get('hdds.recover.rewritten') ?? 0
  }
  expect(deaths).toBeGreaterThan(60)
})
