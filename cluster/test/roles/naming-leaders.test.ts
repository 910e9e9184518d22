import { StoreError } from '@o3/common/errors'
import type { RpcCall } from '@o3/common/rpc'
import { noConfiguration } from '@o3/ratis/node'
import { expect, test } from 'vitest'
import { namingLeaders } from '../../src/roles/group.ts'

const configuration = { ...noConfiguration, voters: ['om1', 'om2'], addresses: { om1: 'a:1', om2: 'b:1' } }
const damaged = new StoreError('Damaged', 'a record failed its checksum')

/** What om1 says to a read that fails with `error`. */
async function answer(error: StoreError, leader: string | undefined, damage?: StoreError): Promise<unknown> {
  const read = (): never => {
    throw error
  }
  const facts = { id: 'om1', leader, term: 4, configuration }
  const methods = namingLeaders<undefined>({ read }, facts, () => damage)
  return methods['read']?.({} as RpcCall<undefined>)
}

test.each([
  ['another member leads', 'om2', damaged, { code: 'NotLeader', details: { leader: 'om2', term: 4, address: 'b:1' } }],
  ['it leads itself', 'om1', damaged, { code: 'Damaged' }],
  ['nobody leads', undefined, damaged, { code: 'Damaged' }],
  ['its rows are whole, and something else is damaged', 'om2', undefined, { code: 'Damaged' }],
])('what cannot be read while %s', async (_, leader, damage, expected) => {
  await expect(answer(damaged, leader, damage)).rejects.toMatchObject(expected)
})

test('where the leader listens is said by the group', async () => {
  const error = new StoreError('NotLeader', 'om2 leads', { details: { leader: 'om2', term: 4 } })
  await expect(answer(error, 'om2')).rejects.toMatchObject({ details: { leader: 'om2', term: 4, address: 'b:1' } })
})
