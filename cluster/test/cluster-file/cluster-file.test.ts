import { isStoreError } from '@o3/common/errors'
import { describe, expect, test } from 'vitest'
import { formatClusterFile, membersOf, parseClusterFile, parsePeers } from '../../src/cluster-file/cluster-file.ts'
import type { Cluster } from '../../src/cluster-file/cluster-file.ts'

const at = (port: number) => ({ host: '127.0.0.1', port })

const cluster: Cluster = {
  clusterId: '3f0c',
  ca: 'keys/ca.pem',
  caKey: 'keys/ca.key',
  revoked: ['4A0B'],
  sealingKey: 'keys/cluster.key',
  om: [1, 2, 3].map((n) => ({ id: `om${n}`, ...at(7000 + n) })),
  scm: [{ id: 'scm1', host: '::1', port: 7001 }],
  replication: 'RATIS/THREE',
  datanodes: [{ id: 'dn1', ...at(7020), disks: ['/mnt/a'], rack: '/hall/rack1' }],
  gateways: [
    { id: 'gw1', ...at(7030), rack: '/rack1', s3: { host: '0.0.0.0', port: 9878 }, native: at(7031), admin: at(7032) },
  ],
}

/** The file with one thing changed. */
function changed(change: (content: Record<string, unknown>) => void): string {
  const content = JSON.parse(formatClusterFile(cluster)) as Record<string, unknown>
  change(content)
  return JSON.stringify(content)
}

function member(content: Record<string, unknown>, role: string): Record<string, unknown> {
  return (content[role] as Record<string, unknown>[])[0] ?? {}
}

test('a file is read as it was written', () => {
  expect(parseClusterFile(formatClusterFile(cluster), 'cluster.json')).toEqual(cluster)
  expect(membersOf(cluster, 'om').map(({ id }) => id)).toEqual(['om1', 'om2', 'om3'])
})

test('a file of before says nothing of racks and replication', () => {
  const text = changed((content) => {
    delete content['replication']
    delete member(content, 'datanodes')['rack']
    delete member(content, 'gateways')['rack']
  })
  const found = parseClusterFile(text, 'f')
  expect(found.replication).toBeUndefined()
  expect(found.datanodes[0]?.rack).toBeUndefined()
  expect(found.gateways[0]?.rack).toBeUndefined()
})

test('a datanode has no disks named, or some', () => {
  const text = changed((content) => delete member(content, 'datanodes')['disks'])
  expect(parseClusterFile(text, 'f').datanodes).toMatchObject([{ id: 'dn1', disks: [] }])
})

describe('what is wrong is said with its place', () => {
  test.each<[string, string, string]>([
    ['no JSON', '{', 'f is not JSON'],
    ['no object', '[]', 'f is not a cluster file'],
    ['no version', changed((c) => delete c['version']), 'f: version is missing'],
    [
      'a port that is none',
      changed((c) => (member(c, 'om')['port'] = 0)),
      'f: om[0]: port is not an integer from 1 to 65535',
    ],
    ['a field that is misspelt', changed((c) => (member(c, 'scm')['prot'] = 1)), 'f: scm[0]: there is no field prot'],
    ['a field of nobody', changed((c) => (c['secrets'] = '')), 'f: there is no field secrets'],
    [
      'a replication that is none',
      changed((c) => (c['replication'] = 'RATIS/TWO')),
      '"RATIS/TWO" is none of RATIS/ONE',
    ],
    [
      'a rack that is none',
      changed((c) => (member(c, 'datanodes')['rack'] = 'rack1')),
      'f: datanodes[0]: rack: "rack1" is not',
    ],
    [
      'a rack of a gateway that is none',
      changed((c) => (member(c, 'gateways')['rack'] = '/')),
      'f: gateways[0]: rack: "/" is not',
    ],
    ['no members', changed((c) => (c['om'] = [])), 'f: there is no om'],
    ['an id that is no name', changed((c) => (member(c, 'om')['id'] = '../om')), '"../om" is not 1 to 63'],
    [
      'an id that two have',
      changed((c) => (member(c, 'datanodes')['id'] = 'om2')),
      'a om and a datanode both have the id om2',
    ],
    [
      'a port that two have',
      changed((c) => (member(c, 'datanodes')['port'] = 7002)),
      'om2 and dn1 both have port 7002',
    ],
    [
      'a port that the front ends of one share',
      changed((c) => (member(c, 'gateways')['admin'] = at(7031))),
      'gw1 (native) and gw1 (admin) both have port 7031',
    ],
    ['every host', changed((c) => (member(c, 'gateways')['host'] = '0.0.0.0')), 'is no address at which'],
    ['no host', changed((c) => (member(c, 'om')['host'] = 'a b')), 'is no address at which'],
  ])('%s', (_, text, message) => {
    expect(() => parseClusterFile(text, 'f')).toThrow(message)
  })

  test('members may be on several hosts', () => {
    const text = changed((c) => (member(c, 'om')['host'] = '10.0.0.1'))
    expect(parseClusterFile(text, 'f').om[0]?.host).toBe('10.0.0.1')
  })

  test('a file of version 1 is read, and written as one of today: certificates took the place of its secret', () => {
    const text = changed((c) => {
      for (const key of ['ca', 'caKey', 'revoked']) delete c[key]
      Object.assign(c, { version: 1, secret: 'keys/rpc.secret' })
    })
    expect(parseClusterFile(text, 'f')).toEqual({ ...cluster, revoked: [] })
  })

  test('a version that is to come', () => {
    const parse = (): unknown =>
      parseClusterFile(
        changed((c) => (c['version'] = 3)),
        'f',
      )
    expect(parse).toThrow('use a newer O3')
    try {
      parse()
    } catch (error) {
      expect(isStoreError(error, 'Incompatible')).toBe(true)
    }
  })
})

describe('peers on a command line', () => {
  test('are ids and addresses', () => {
    expect(parsePeers('om1=127.0.0.1:7001, om2=[::1]:7002')).toEqual([
      { id: 'om1', host: '127.0.0.1', port: 7001 },
      { id: 'om2', host: '::1', port: 7002 },
    ])
  })

  test.each([
    '',
    'om1',
    'om1=127.0.0.1',
    'om1=127.0.0.1:0',
    'om1=127.0.0.1:70000',
    '=127.0.0.1:7001',
    'om1=0.0.0.0:7001',
  ])('are not %j', (text) => {
    expect(() => parsePeers(text, '--peers')).toThrow(/^--peers: /)
    expect(() => parsePeers(text)).toThrow(/^(?!--peers)/)
  })
})
