/** What takes more than chance to come about: for bugs that no seed would find soon. */

import { isStoreError } from '@o3/common/errors'
import type { BlockAccess } from '@o3/hdds/api'
import type { ContainerState } from '@o3/scm/api'
import { insist } from '../insist.ts'
import type { DataWorld } from './data-world.ts'
import { chunkBytes, type DataWorkload } from './data-workload.ts'
import type { DatanodeMachine } from './datanode-machine.ts'
import type { Gateway, LeasedBlock } from './gateway.ts'
import type { Scene } from './run-data-seed.ts'

interface Written {
  readonly container: number
  /** Goes first, and lacks what comes then. */
  readonly early: DatanodeMachine
  /** Has all of it, and goes when the third one loses its disk. */
  readonly witness: DatanodeMachine
  /** Has the container and the log of its pipeline on different disks. */
  readonly loser: DatanodeMachine
  readonly disk: string
}

/**
 * Blocks are streamed to two members of a pipeline while the third is down. Then one of the two loses the disk with the container, and
 * not the one with the log, and the other is away: nobody that is there has the blocks. They come back with the witness.
 */
export const diskOfAnOriginIsLost: Scene = async ({ world, workload, supervisor }) => {
  const { clock } = world.simulation
  let written: Written | undefined
  await world.until(
    'a container is open, beside the disk of its log',
    10_000,
    () => (written = choose(world)) !== undefined,
  )
  if (written === undefined) return
  const { container, early, witness, loser, disk } = written
  world.tell(`container ${container}: ${early.id} goes, then ${witness.id}, and ${loser.id} loses ${disk}`)
  supervisor.rest(early)
  const before = await streamedBlocks(witness, container)
  // Sooner than whoever is down counts as dead.
  await world.until('more is streamed', 5_000, async () => {
    const counts = await Promise.all([witness, loser].map((each) => streamedBlocks(each, container)))
    return counts.every((count) => count > before + 1)
  })
  // What is lost must still be wanted.
  workload.isOver = true
  supervisor.rest(witness)
  supervisor.rest(loser)
  await loser.loseDisk(disk)
  supervisor.wake(early)
  supervisor.wake(loser)
  await clock.sleep(18_000)
  supervisor.wake(witness)
  await clock.sleep(2_000)
}

function choose({ datanodes }: DataWorld): Written | undefined {
  for (const loser of datanodes) {
    const { datanode } = loser.life ?? {}
    for (const { id, pipeline, state, usedBytes: used } of datanode?.containers() ?? []) {
      if (pipeline === undefined || state !== 'OPEN' || used === 0) continue
      const disk = datanode?.dataDisks.find(({ containers }) => containers.has(id))?.path
      const isApart = loser.node.disk.durable(`${disk}/pipelines/${pipeline}/description`) === undefined
      const [early, witness] = datanodes.filter((each) => each !== loser && usedBytes(each, id) > 0)
      if (isApart && disk !== undefined && early !== undefined && witness !== undefined)
        return { container: id, early, witness, loser, disk }
    }
  }
  return undefined
}

/** Those that are no entries of the log. */
async function streamedBlocks({ life }: DatanodeMachine, container: number): Promise<number> {
  const blocks = (await life?.datanode.listBlocks(container)) ?? []
  return blocks.filter(({ lengthBytes }) => lengthBytes > chunkBytes).length
}

function usedBytes({ life }: DatanodeMachine, container: number): number {
  return life?.datanode.containers().find(({ id }) => id === container)?.usedBytes ?? 0
}

/** Somebody holds a block of a container that was closed, empty, and deleted meanwhile, writes it, and makes a key of it. */
export const writerComesTooLate: Scene = async ({ world, workload }) => {
  const { first: gateway } = workload
  const { scm, env, blocks } = gateway
  let [leased] = await gateway.lease('RATIS/THREE', 1)
  await world.until('there is a block', 20_000, async () => {
    ;[leased] = leased === undefined ? await gateway.lease('RATIS/THREE', 1) : [leased]
    return leased !== undefined
  })
  if (leased === undefined) return
  const { block, lease, token } = leased
  const access = token === undefined ? {} : { token }
  // From then on it knows where the container is.
  await ignored(blocks.readSmall(block, { offset: 0, length: 1 }, access))
  const requestId = env.random.uuid()
  await insist(env.clock, 5_000, () => scm.closeContainer(block.container, { requestId }))
  await world.until('its container is gone', 5_000, async () => {
    const infos = await insist(env.clock, 1, () => scm.listContainers({ limit: 10_000 }))
    return infos.kind === 'answer' && infos.value.every(({ id }) => id !== block.container)
  })
  const content = workload.newContent(20_000)
  const receipt = await ignored(blocks.writeBlock(block, [content.bytes], access))
  world.tell(
    `a block of container ${block.container}, which is gone, was ${receipt === undefined ? 'refused' : 'taken'}`,
  )
  if (receipt === undefined) return
  const { proofs } = receipt
  await workload.keep('late', content, {
    lease,
    extents: [{ block, length: content.bytes.length, ...(proofs && { proofs }) }],
  })
  await world.simulation.clock.sleep(3_000)
}

/** A leader is written to while both others are down; they go on without it, and its log gives way to theirs. */
export const leaderIsLeftAlone: Scene = async ({ world, workload, supervisor }) => {
  const { first: gateway } = workload
  const [leased, next] = await twoBlocks(world, gateway)
  const first = workload.newContent(100)
  await world.until('the container has a leader, which the gateway knows', 20_000, async () => {
    await ignored(gateway.blocks.writeBlock(leased.block, [first.bytes], accessTo(leased)))
    return leaderOf(world, leased.block.container) !== undefined
  })
  const led = leaderOf(world, leased.block.container)
  if (led === undefined) return
  const { leader, others } = led
  for (const other of others) supervisor.rest(other)
  const content = workload.newContent(20_000)
  const receipt = await ignored(gateway.blocks.writeBlock(next.block, [content.bytes], accessTo(next)))
  world.tell(`${leader.id} was left alone, and the block was ${receipt === undefined ? 'refused' : 'taken'}`)
  supervisor.rest(leader)
  for (const other of others) supervisor.wake(other)
  if (receipt !== undefined) {
    const { proofs } = receipt
    const extents = [{ block: next.block, length: content.bytes.length, ...(proofs && { proofs }) }]
    await workload.keep('alone', content, { lease: next.lease, extents })
  }
  await world.simulation.clock.sleep(18_000)
  supervisor.wake(leader)
  await world.simulation.clock.sleep(2_000)
}

/** All datanodes lose their power in the moment in which blocks are acknowledged: they are in the logs, and not safe in a container yet. */
export const powerGoesWithTheWord: Scene = async ({ world, workload }) => {
  const { first: gateway } = workload
  const leased = await twoBlocks(world, gateway)
  const contents = leased.map(() => workload.newContent(20_000))
  const write = async ({ block, ...rest }: LeasedBlock, bytes: Uint8Array) => {
    let receipt: Awaited<ReturnType<typeof gateway.blocks.writeBlock>> | undefined
    await world.until('a block is written', 30_000, async () => {
      receipt = await ignored(gateway.blocks.writeBlock(block, [bytes], accessTo({ block, ...rest })))
      return receipt !== undefined
    })
    return receipt
  }
  // What waits for a disk waits for long.
  for (const { id } of world.datanodes) world.diskSlowness.set(id, 100)
  const receipts = await Promise.all(leased.map((each, n) => write(each, contents[n]?.bytes ?? new Uint8Array(0))))
  world.tell('the power goes')
  for (const { id } of world.datanodes) world.diskSlowness.delete(id)
  for (const machine of world.datanodes) machine.down('crash')
  for (const [n, content] of contents.entries()) {
    const [each, proofs] = [leased[n], receipts[n]?.proofs]
    if (each === undefined) continue
    const extents = [{ block: each.block, length: content.bytes.length, ...(proofs && { proofs }) }]
    await workload.keep(`in the dark ${n}`, content, { lease: each.lease, extents })
  }
  await world.simulation.clock.sleep(5_000)
}

/** A bit turns in a replica that nobody reads but the scrubber. */
export const replicaRots: Scene = async ({ world, workload }) => {
  const { container } = await twoKeys(world, workload)
  const machine = holdersOf(world, container).at(-1)
  const { datanode } = machine?.life ?? {}
  const report = datanode?.containers().find(({ id }) => id === container)
  const disk = datanode?.dataDisks.find(({ containers }) => containers.has(container))
  const path = `${disk?.path}/containers/${container}.${report?.generation}.cnt`
  const length = machine?.node.disk.durable(path)?.bytes.length
  if (machine === undefined || length === undefined) throw new Error(`no holder has ${path}`)
  world.tell(`flip ${machine.id} ${path}`)
  machine.node.disk.flip(path, Math.floor(length / 2), 3)
}

/** One of two keys is deleted; then all that have its container lose what they have, one after the other, and copies are made. */
export const copiesOfWhatIsDeleted: Scene = async ({ world, workload }) => {
  const { container, keys } = await twoKeys(world, workload)
  const { first: gateway } = workload
  await workload.delete(keys[0])
  await world.until('SCM knows of the deletion', 30_000, async () => {
    return ((await ignored(gateway.scm.deletedBlocks()))?.transactions ?? 0) > 0
  })
  const left = new Set(holdersOf(world, container))
  for (const machine of left) {
    world.tell(`${machine.id} loses its disk`)
    machine.down('crash')
    machine.replaceDisk()
    left.delete(machine)
    await world.until('there is a copy in its place', 20_000, () => {
      return holdersOf(world, container).filter((each) => !left.has(each)).length + left.size === 3
    })
    // What it had of open containers must be made up for as well, before the next one goes.
    await world.simulation.clock.sleep(8_000)
  }
}

/**
 * Of a container that nobody has written to two members go, for longer than is waited for. One comes back, with its log and without a
 * replica: with the third one it knows that there was nothing, and nobody has to wait for the other.
 */
export const nobodyWroteThere: Scene = async ({ world, workload, supervisor }) => {
  const { first: gateway } = workload
  const [{ block }] = await twoBlocks(world, gateway)
  const { container } = block
  const { info } = await gateway.scm.containerInfo(container)
  const [lost, away] = world.datanodes.filter(({ id }) => info.datanodes.includes(id))
  if (lost === undefined || away === undefined) throw new Error(`container ${container} has too few members`)
  const isIn = async (states: readonly (ContainerState | undefined)[]): Promise<boolean> => {
    const infos = await ignored(gateway.scm.listContainers({ limit: 10_000 }))
    return infos !== undefined && states.includes(infos.find(({ id }) => id === container)?.state)
  }
  world.tell(`container ${container}: ${lost.id} and ${away.id} go`)
  supervisor.rest(lost)
  supervisor.rest(away)
  await world.until('the third one has sealed it alone', 30_000, () => isIn(['QUASI_CLOSED']))
  supervisor.wake(away)
  // Empty, it is deleted soon.
  await world.until('two of three agree that it is empty', 20_000, () => isIn(['CLOSED', 'DELETING', undefined]))
  supervisor.wake(lost)
}

interface TwoKeys {
  readonly container: number
  readonly keys: readonly [string, string]
}

/** In one container, which is closed then. */
async function twoKeys(world: DataWorld, workload: DataWorkload): Promise<TwoKeys> {
  const { first: gateway } = workload
  const { scm, env } = gateway
  const leased = await twoBlocks(world, gateway)
  const keys = ['one', 'other'] as const
  for (const [n, { block, lease, ...rest }] of leased.entries()) {
    const content = workload.newContent(20_000)
    let receipt: Awaited<ReturnType<typeof gateway.blocks.writeBlock>> | undefined
    await world.until('a block is written', 20_000, async () => {
      receipt = await ignored(gateway.blocks.writeBlock(block, [content.bytes], accessTo({ block, lease, ...rest })))
      return receipt !== undefined
    })
    const { proofs } = receipt ?? {}
    const extents = [{ block, length: content.bytes.length, ...(proofs && { proofs }) }]
    await workload.keep(keys[n] ?? '', content, { lease, extents })
  }
  const [{ block }] = leased
  const { container } = block
  const requestId = env.random.uuid()
  await insist(env.clock, 5_000, () => scm.closeContainer(container, { requestId }))
  await world.until('it is closed', 20_000, () => holdersOf(world, container).length === 3)
  return { container, keys }
}

/** Where it is closed. */
function holdersOf({ datanodes }: DataWorld, container: number): readonly DatanodeMachine[] {
  return datanodes.filter(({ life }) => {
    return life?.datanode.containers().some(({ id, state }) => id === container && state === 'CLOSED')
  })
}

function accessTo({ token }: LeasedBlock): BlockAccess {
  return token === undefined ? {} : { token }
}

/** Of one container. */
async function twoBlocks(world: DataWorld, gateway: Gateway): Promise<readonly [LeasedBlock, LeasedBlock]> {
  let found: readonly [LeasedBlock, LeasedBlock] | undefined
  await world.until('there are blocks', 20_000, async () => {
    const [one, other] = await gateway.lease('RATIS/THREE', 2)
    if (one !== undefined && other?.block.container === one.block.container) found = [one, other]
    return found !== undefined
  })
  if (found === undefined) throw new Error('until has ended')
  return found
}

function leaderOf({ datanodes }: DataWorld, container: number) {
  for (const leader of datanodes) {
    const { datanode } = leader.life ?? {}
    const pipeline = datanode?.pipelines()?.find(({ id, leader: leads }) => {
      return leads === leader.id && datanode.containers().some((each) => each.id === container && each.pipeline === id)
    })
    if (pipeline === undefined) continue
    const others = datanodes.filter((each) => {
      return each !== leader && each.life?.datanode.pipelines()?.some(({ id }) => id === pipeline.id)
    })
    return { leader, others }
  }
  return undefined
}

async function ignored<T>(asked: Promise<T>): Promise<T | undefined> {
  try {
    return await asked
  } catch (error) {
    if (!isStoreError(error)) throw error
    return undefined
  }
}
