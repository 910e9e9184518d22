import { describe, expect, test } from 'vitest'
import type { RpcCall } from '@o3/common/rpc'
import { roles } from '../../src/cluster-file/cluster-file.ts'
import type { Role } from '../../src/cluster-file/cluster-file.ts'
import { guarded, mayCall } from '../../src/pki/authorisation.ts'
import { peerRoles } from '../../src/pki/wire.ts'
import type { ClusterPeer, PeerRole } from '../../src/pki/wire.ts'

/** Said once more, in another form than the table: by whom each kind of method is called. */
const expected: readonly (readonly [RegExp, string])[] = [
  [/^om\.audit\.1$/, 'gateway admin'],
  [/^om\./, 'gateway'],
  [/^scm\.(register|heartbeat)\.1$/, 'datanode'],
  [/^scm\.secretKeys\.1$/, 'om datanode'],
  [/^scm\.(listPipelines|safemode)\.1$/, 'gateway admin'],
  [
    /^scm\.(rotateSecretKey|closePipeline|containerInfo|setOperational|exitSafemode|deletedBlocks|replicationReport|balancer|setBalancer)\.1$/,
    'admin',
  ],
  [/^scm\.(allocateBlocks|deleteBlocks)\.1$/, 'om'],
  [/^scm\.locate\.1$/, 'om datanode gateway'],
  [/^scm\.(listNodes|listContainers|closeContainer|summary)\.1$/, 'om gateway admin'],
  [/^scm\.signCertificate\.1$/, 'scm om datanode gateway'],
  [/^scm\.join\.1$/, 'stranger'],
  [/^hdds\.(writeBlock|openWriter|read|readSmall|agreeBlock)\.1$/, 'datanode gateway'],
  [/^hdds\.(summarizeReplica|listReplica|readBlocks)\.1$/, 'datanode'],
  [/^hdds\.(createPipeline|closePipeline)\.1$/, 'admin'],
  [/^hdds\./, 'datanode admin'],
  [/^raft\.messages\.1$/, 'peers'],
  [/^group\.status\.1$/, 'peers datanode admin'],
  [/^(cluster|role|group)\./, 'admin'],
]

function callersOf(method: string, server: Role): readonly string[] {
  const [, callers = ''] = expected.find(([pattern]) => pattern.test(method)) ?? []
  return callers.replace('peers', server).split(' ')
}

/** What the guard of a process of the role `server` says to a caller. */
async function ask(method: string, server: Role, role: PeerRole): Promise<string> {
  const methods = guarded(server, { [method]: () => ({ payload: Buffer.from('served') }) })
  const peer: ClusterPeer = { role, id: 'x1' }
  try {
    const reply = await methods[method]?.({ method, peer } as RpcCall<ClusterPeer>)
    return Buffer.from(reply?.payload ?? []).toString()
  } catch (error) {
    return (error as { code: string }).code
  }
}

describe.each(Object.keys(mayCall))('%s', (method) => {
  test.each(peerRoles)('called by: %s', async (role) => {
    for (const server of roles) {
      const allowed = callersOf(method, server).includes(role)
      expect(await ask(method, server, role), `at ${server}`).toBe(allowed ? 'served' : 'AccessDenied')
    }
  })
})

test('a method without a row is served to nobody: it does not even start', () => {
  expect(() => guarded('om', { 'om.newDoor.1': () => ({}) })).toThrow('has a row')
  expect(() => guarded('om', { constructor: () => ({}) })).toThrow('has a row')
})
