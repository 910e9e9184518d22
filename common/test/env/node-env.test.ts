import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  TestAuthority,
  clockContract,
  diskContract,
  networkContract,
  secureNetworkContract,
  tasksContract,
  type Drive,
  type NetworkUnderTest,
} from '../../src/env/contracts.ts'
import { nodeEnv } from '../../src/env/node/node-env.ts'

const drive: Drive = (main) => main()

diskContract('node', async () => {
  const root = await mkdtemp(join(tmpdir(), 'o3-disk-'))
  return { disk: nodeEnv({ root }).disk, drive, discard: () => rm(root, { recursive: true }) }
})

clockContract('node', () => ({ clock: nodeEnv().clock, drive }))

tasksContract('node', () => ({ ...nodeEnv(), drive }))

function loopback(): Promise<NetworkUnderTest> {
  return Promise.resolve({
    ...nodeEnv(),
    address: { kind: 'tcp', host: '127.0.0.1', port: 0 },
    drive,
    discard: () => Promise.resolve(),
  })
}

networkContract('node, TCP', loopback)
secureNetworkContract('node, TCP', loopback)

const credentials = new TestAuthority().credentials('o3://test/om/om1')
networkContract('node, TLS', async () => {
  const under = await loopback()
  return { ...under, network: under.network.secured({ credentials: () => credentials }) }
})

networkContract('node, Unix socket', async () => {
  const root = await mkdtemp(join(tmpdir(), 'o3-net-'))
  return {
    ...nodeEnv(),
    address: { kind: 'unix', path: join(root, 'socket') },
    drive,
    discard: () => rm(root, { recursive: true }),
  }
})
