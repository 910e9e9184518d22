import {
  clockContract,
  diskContract,
  networkContract,
  secureNetworkContract,
  tasksContract,
  type NetworkUnderTest,
} from '../../src/env/contracts.ts'
import { kvContract } from '../../src/kv/contract.ts'
import { SimDisk, Simulation } from '../../src/env/sim/sim-env.ts'

function world(): Simulation {
  return new Simulation({ seed: 'contracts' })
}

diskContract('simulated, alone', () =>
  Promise.resolve({ disk: new SimDisk(), drive: (main) => main(), discard: () => Promise.resolve() }),
)

diskContract('simulated, in virtual time', () => {
  const simulation = world()
  return Promise.resolve({
    disk: simulation.node('n').boot().disk,
    drive: (main) => simulation.run(main),
    discard: () => Promise.resolve(),
  })
})

clockContract('simulated', () => {
  const simulation = world()
  return { clock: simulation.node('n').boot().clock, drive: (main) => simulation.run(main) }
})

tasksContract('simulated', () => {
  const simulation = world()
  const { tasks, clock } = simulation.node('n').boot()
  return { tasks, clock, drive: (main) => simulation.run(main) }
})

function simulatedNetwork(): Promise<NetworkUnderTest> {
  const simulation = world()
  const { network, clock } = simulation.node('n').boot()
  return Promise.resolve({
    network,
    clock,
    address: { kind: 'tcp', host: 'n', port: 0 },
    drive: (main) => simulation.run(main),
    discard: () => Promise.resolve(),
  })
}

networkContract('simulated', simulatedNetwork)
secureNetworkContract('simulated', simulatedNetwork)

kvContract('in virtual time', async () => {
  const simulation = world()
  const node = simulation.node('n')
  node.boot()
  return {
    store: await node.openKv('kv'),
    reopen: () => node.openKv('kv'),
    discard: () => Promise.resolve(),
    drive: (main) => simulation.run(main),
  }
})
