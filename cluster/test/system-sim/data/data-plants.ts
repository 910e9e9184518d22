/** Bugs of the data path, as somebody might write them. Each is a decorator around production code; the simulation finds all of them. */

import type { Env } from '@o3/common/env'
import type { LocalDatanode } from '@o3/hdds/module'
import { plantedEnv, Planting, type PlantedCall } from '@o3/ratis/testing'
import type { ContainerReport, DatanodeAnswer, DatanodeCommand, ScmDatanodeProtocol } from '@o3/scm/api'
import { overriding } from '../overriding.ts'
import type { DataPlants } from './data-world.ts'
import type { DatanodePlants } from './datanode-machine.ts'

const skipping =
  (strikes: (call: PlantedCall) => boolean) =>
  (env: Env): Env =>
    plantedEnv(env, new Planting((call) => (strikes(call) ? 'skip' : 'keep')))

const withoutSync = (path: RegExp): DataPlants => ({
  datanode: { env: skipping((call) => call.operation === 'sync' && path.test(call.path)) },
})

const everyDatanode = (datanode: (of: LocalDatanode) => LocalDatanode): DataPlants => ({ datanode: { datanode } })

/** A leader answers when it has proposed, and believes the rest. */
const acknowledgedEarly = (): DataPlants =>
  everyDatanode((datanode) =>
    overriding(datanode, {
      writeBlock: async (block, pieces, access) => {
        const done = datanode.writeBlock(block, pieces, access)
        if (access?.pipeline === undefined) return await done
        done.catch(() => undefined)
        // What is refused at once is refused.
        for (let turn = 0; turn < 30; turn++) await Promise.race([done, Promise.resolve()])
        const lengthBytes = pieces.reduce((sum, { length }) => sum + length, 0)
        return { block, lengthBytes, datanodes: [datanode.id] }
      },
    }),
  )

/** Whoever is asked to close a container closes it, whatever its log still has for it, and says that this is agreed. */
const closedPastTheLog = (): DataPlants =>
  everyDatanode((datanode) =>
    overriding(datanode, {
      closeContainerOf: async (id) => {
        for (const { containers } of datanode.dataDisks) await containers.get(id)?.close({ how: 'agreed' })
      },
    }),
  )

const deletionsForgotten = (): DataPlants =>
  everyDatanode((datanode) => overriding(datanode, { deleteBlocks: () => Promise.resolve() }))

const deletionsTooLong = (): DataPlants =>
  everyDatanode((datanode) =>
    overriding(datanode, {
      deleteBlocks: (blocks) => datanode.deleteBlocks(blocks.map((range) => ({ ...range, count: range.count + 1 }))),
    }),
  )

/** Whoever seals a replica alone says that it is an origin, whatever its member has lost. */
const originsAnyhow = (): DataPlants =>
  everyDatanode((datanode) => {
    const sealing = (id: number): void => {
      for (const { containers } of datanode.dataDisks) {
        const container = containers.get(id)
        if (container === undefined) continue
        const { close } = Object.getPrototypeOf(container) as typeof container
        container.close = (...given) => close.apply(container, given[0]?.how === 'alone' ? [{ how: 'origin' }] : given)
      }
    }
    return overriding(datanode, {
      closeContainerOf: async (id, pipeline) => {
        sealing(id)
        await datanode.closeContainerOf(id, pipeline)
      },
      closeContainerAlone: async (id) => {
        sealing(id)
        await datanode.closeContainerAlone(id)
      },
    })
  })

/** Nobody looks into the list of deleted containers before a first write makes one. */
const deletedForgotten = (): DataPlants =>
  everyDatanode((datanode) => {
    for (const disk of datanode.dataDisks) disk.wasDeleted = () => false
    return datanode
  })

interface Said {
  readonly deletedTransactions?: readonly number[]
  readonly containers: readonly ContainerReport[]
}

interface Talk {
  readonly say?: <T extends Said>(said: T, datanode: string) => T
  readonly hear?: (commands: readonly DatanodeCommand[], datanode: string) => readonly DatanodeCommand[]
}

/** Between every datanode and SCM. */
function talking({ say = (said) => said, hear = (commands) => commands }: Talk): DataPlants {
  const answered = (answer: DatanodeAnswer, datanode: string): DatanodeAnswer =>
    answer.term === undefined ? answer : { ...answer, commands: hear(answer.commands, datanode) }
  const scm: DatanodePlants['scm'] = (member: ScmDatanodeProtocol, datanode) => ({
    register: async (request) => answered(await member.register(say(request, datanode)), datanode),
    heartbeat: async (heartbeat) => answered(await member.heartbeat(say(heartbeat, datanode)), datanode),
  })
  return { datanode: { scm } }
}

/** What the scrubber found is kept from SCM. */
const damageHidden = (): DataPlants =>
  talking({
    say: (said) => ({
      ...said,
      containers: said.containers.map((report) => ({
        ...report,
        state: report.state === 'UNHEALTHY' ? ('CLOSED' as const) : report.state,
      })),
    }),
  })

/** A copy is reported when it is asked for; it will be there in a moment. */
function copiesPromised(): DataPlants {
  const closed = new Map<number, ContainerReport>()
  const promised = new Map<string, Set<number>>()
  return talking({
    say: (said, datanode) => {
      for (const report of said.containers) if (report.state === 'CLOSED') closed.set(report.id, report)
      const extra = [...(promised.get(datanode) ?? [])].flatMap((id) => closed.get(id) ?? [])
      return { ...said, containers: [...said.containers, ...extra] }
    },
    hear: (commands, datanode) =>
      commands.filter((command) => {
        if (command.kind !== 'copy-container') return true
        promised.set(datanode, (promised.get(datanode) ?? new Set()).add(command.container))
        return false
      }),
  })
}

/**
 * A deletion that somebody was told of before a copy was begun counts as carried out in the copy, which may have been made of one that had
 * not done it yet: here datanodes take their time.
 */
function deletionsSettledWithoutCopies(): DataPlants {
  const lateness = 100
  const told = new Map<string, number>()
  const settled = new Map<string, Set<number>>()
  const copied = new Map<string, Map<number, readonly number[]>>()
  const seen = new Map<number, Set<number>>()
  return talking({
    say: (said, datanode) => {
      const { deletedTransactions } = said
      if (deletedTransactions === undefined) return said
      return { ...said, deletedTransactions: [...deletedTransactions, ...(settled.get(datanode) ?? [])] }
    },
    hear: (commands, datanode) =>
      commands.filter((command) => {
        if (command.kind === 'copy-container') {
          const copies = copied.get(datanode) ?? new Map<number, readonly number[]>()
          if (!copies.has(command.container)) copies.set(command.container, [...(seen.get(command.container) ?? [])])
          copied.set(datanode, copies)
        }
        if (command.kind !== 'delete-blocks') return true
        const container = command.blocks[0]?.container ?? 0
        seen.set(container, (seen.get(container) ?? new Set()).add(command.transaction))
        if (copied.get(datanode)?.get(container)?.includes(command.transaction) === true) {
          settled.set(datanode, (settled.get(datanode) ?? new Set()).add(command.transaction))
          return false
        }
        const times = (told.get(`${datanode} ${command.transaction}`) ?? 0) + 1
        told.set(`${datanode} ${command.transaction}`, times)
        return times > lateness
      }),
  })
}

/** Everybody who has the container is told to delete it, as soon as this is asked of somebody. */
function deletedWhen(kind: 'copy-container' | 'encode-container'): DataPlants {
  const doomed = new Map<number, Set<string>>()
  return talking({
    hear: (commands, datanode) => {
      for (const command of commands) {
        if (command.kind === kind && !doomed.has(command.container)) doomed.set(command.container, new Set())
      }
      const extra: DatanodeCommand[] = []
      for (const [container, told] of doomed) {
        if (told.has(datanode)) continue
        told.add(datanode)
        extra.push({ kind: 'delete-container', container })
      }
      return [...commands, ...extra]
    },
  })
}

/** A container that is encoded anew, with everything that it had; and SCM believes that what was deleted is gone. */
const deletedKept = (): DataPlants =>
  talking({
    hear: (commands) =>
      commands.map((command) =>
        command.kind === 'encode-container' && command.from !== undefined
          ? { ...command, leaveOut: [], worthShare: 0 }
          : command,
      ),
  })

/** Made anew for each run: some remember. */
export const dataPlants = {
  'a block that is acknowledged before a majority has it': acknowledgedEarly,
  'logs of pipelines that are not synced': () => withoutSync(/\/pipelines\/.*\/log\//),
  'containers that are not synced': () => withoutSync(/\/containers\//),
  'a container that is closed without what was agreed': closedPastTheLog,
  'a copy that is reported before it is whole': copiesPromised,
  'a move that deletes its sources first': () => deletedWhen('copy-container'),
  'replicas that go before their shards are closed': () => deletedWhen('encode-container'),
  'deletions that are acknowledged and not carried out': deletionsForgotten,
  'deletions that go one block too far': deletionsTooLong,
  'damage that SCM does not hear of': damageHidden,
  'an origin that has lost its disk': originsAnyhow,
  'a deleted container that comes back by a late writer': deletedForgotten,
  'deletions that a copy is taken to have carried out': deletionsSettledWithoutCopies,
  'deleted blocks that an encoding was to leave out': deletedKept,
} as const satisfies Readonly<Record<string, () => DataPlants>>
