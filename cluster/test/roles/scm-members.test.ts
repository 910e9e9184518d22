import { Simulation } from '@o3/common/env/sim'
import { StoreError } from '@o3/common/errors'
import { Lifecycle } from '@o3/common/lifecycle'
import { nullLogger } from '@o3/common/log'
import { expect, test } from 'vitest'
import type { GroupMemberStatus } from '../../src/roles/group-admin.ts'
import { ScmMembers } from '../../src/roles/scm-members.ts'
import type { MemberTalk } from '../../src/roles/scm-members.ts'

type Said = Pick<GroupMemberStatus, 'role' | 'term' | 'addresses'>

test('a datanode talks with whom the leader of SCM names', async () => {
  const simulation = new Simulation({ seed: 'scm-members' })
  const { clock } = simulation
  /** By address; nobody answers at others. */
  const says: Record<string, Said> = {}
  const talking = new Set<string>()
  const open = new Set<string>()
  const talk = (id: string, address: string): MemberTalk => {
    open.add(`${id}@${address}`)
    return {
      id,
      address,
      scm: {} as MemberTalk['scm'],
      status: () => {
        const said = says[address]
        if (said === undefined) return Promise.reject(new StoreError('Unavailable', `${id} does not answer`))
        return Promise.resolve(said as GroupMemberStatus)
      },
      close: () => void open.delete(`${id}@${address}`),
    }
  }
  await simulation.run(async () => {
    const env = simulation.node('dn1').boot()
    const lifecycle = new Lifecycle({ clock, log: nullLogger })
    const members = new ScmMembers(talk, { scm1: 'a:1', scm2: 'b:1' })
    await lifecycle.start('clients', { start: () => {}, stop: () => members.close() })
    for (const { id } of members.all) talking.add(id)
    await members.follow(
      { env, log: nullLogger, lifecycle },
      {
        addScmMember: ({ id }) => void talking.add(id),
        removeScmMember: (id) => Promise.resolve(void talking.delete(id)),
      },
    )
    const settled = async (): Promise<readonly string[]> => {
      await clock.sleep(11_000)
      expect(talking).toEqual(new Set([...open].map((each) => each.split('@')[0])))
      return [...open].toSorted()
    }

    // Nobody leads: nothing is known.
    expect(await settled()).toEqual(['scm1@a:1', 'scm2@b:1'])
    const three = { scm1: 'a:1', scm2: 'b:1', scm3: 'c:1' }
    says['a:1'] = { role: 'leader', term: 3, addresses: three }
    says['b:1'] = { role: 'follower', term: 3, addresses: {} }
    expect(await settled()).toEqual(['scm1@a:1', 'scm2@b:1', 'scm3@c:1'])

    // The new one leads, elsewhere than one was before; who was removed does not know it yet.
    says['c:1'] = { role: 'leader', term: 4, addresses: { scm2: 'b:2', scm3: 'c:1' } }
    expect(await settled()).toEqual(['scm2@b:2', 'scm3@c:1'])
    expect(await lifecycle.stop()).toEqual([])
  })
  expect([...open]).toEqual([])
})
