/** What SCM asks of the members of a pipeline, and what they tell it. */

import { nullLogger } from '@o3/common/logger'
import type { DatanodeCommand } from '@o3/scm/api'
import { expect, test } from 'vitest'
import { Heartbeating } from '../../src/reconcilers/heartbeat.ts'
import { ScmCommands } from '../../src/reconcilers/scm-commands.ts'
import { patternOf, sameBytes } from '../harness/bytes.ts'
import { rejection } from '../harness/expect-error.ts'
import { PipelineCluster } from '../harness/pipeline-cluster.ts'
import type { ClusterMember } from '../harness/pipeline-cluster.ts'
import { ScriptedScm } from '../harness/scripted-scm.ts'

const pipeline = 'p-1'
const through = { pipeline }
const block = (local: number, container = 1) => ({ container, local })
const bytes = patternOf(1, 1000)

/** One talk of each datanode with its own SCM, and what they say in it, told by a round when a test wants one. */
function talks(cluster: PipelineCluster) {
  return [...cluster.up.values()].map(({ id, process, datanode }) => {
    const scm = new ScriptedScm()
    const commands = new ScmCommands({ env: process, datanode, log: nullLogger })
    const member = { id: 'scm', scm }
    const talk = new Heartbeating({
      datanode,
      member,
      commands,
      address: `${id}:9861`,
      config: { heartbeatMs: 1_000 },
      process: 'p',
      log: nullLogger,
    })
    return { id, scm, round: () => talk.run(new AbortController().signal) }
  })
}

const stateOf = ({ datanode }: ClusterMember, id = 1) => datanode.containers().find((report) => report.id === id)?.state

test('a pipeline is made, tells of itself, closes its containers, and is closed', async () => {
  await new PipelineCluster({ seed: 1 }).run(async (cluster) => {
    const all = talks(cluster)
    const members = [...cluster.up.values()]
    const ask = (...commands: DatanodeCommand[]): void => {
      for (const { scm } of all) scm.commands = commands
    }
    /** SCM repeats what it wants until it sees it done. */
    const until = (what: string, condition: () => boolean): Promise<void> =>
      cluster.until(what, async () => {
        await Promise.all(all.map(({ round }) => round()))
        return condition()
      })
    const told = () => all.map(({ scm }) => scm.heartbeats.at(-1)?.pipelines)

    ask({ kind: 'create-pipeline', pipeline, members: cluster.members })
    await until('all tell of it', () => told().every((reports) => reports?.[0]?.leader !== undefined))
    expect(all[0]?.scm.registrations).toMatchObject([{ pipelines: [] }])
    const leader = await cluster.elected(pipeline)
    expect(told()).toEqual(members.map(() => [{ id: pipeline, state: 'open', leader: leader.id, term: 1 }]))

    for (const container of [1, 2, 3]) await leader.datanode.writeBlock(block(1, container), [bytes], through)
    await until('all have them', () => members.every(({ datanode }) => datanode.containers().length === 3))
    for (const { scm } of all) {
      expect(scm.heartbeats.flatMap(({ containers }) => containers)).toContainEqual(
        expect.objectContaining({ id: 1, state: 'OPEN', pipeline }),
      )
    }

    // The leader proposes; the others have nothing to do.
    ask({ kind: 'close-container', container: 1, how: 'agreed' })
    await until('it is closed', () => members.every((member) => stateOf(member) === 'CLOSED'))
    // Without a word about how, the same.
    ask({ kind: 'close-container', container: 2 })
    await until('it is closed', () => members.every((member) => stateOf(member, 2) === 'CLOSED'))
    expect(members.map((member) => stateOf(member, 3))).toEqual(['OPEN', 'OPEN', 'OPEN'])

    ask(
      { kind: 'close-container', container: 3, how: 'alone' },
      { kind: 'close-container', container: 77, how: 'alone' },
    )
    await until('they have sealed it', () => members.every((member) => stateOf(member, 3) === 'QUASI_CLOSED'))
    expect(told().flat()).toEqual(
      members.map(() => expect.objectContaining({ id: pipeline, state: 'failed' }) as unknown),
    )

    ask({ kind: 'close-pipeline', pipeline })
    await until('nobody has it', () => told().every((reports) => reports?.length === 0))
  })
})

test('who has nothing of a container closes it with the others, and not by himself', async () => {
  await new PipelineCluster({ seed: 2 }).run(async (cluster) => {
    await cluster.createPipeline(pipeline)
    const leader = await cluster.elected(pipeline)
    const late = [...cluster.up.values()].find(({ id }) => id !== leader.id)
    if (late === undefined) throw new Error('there are three')
    const heal = cluster.isolate(late.id)
    await leader.datanode.writeBlock(block(1, 5), [bytes], through)
    // As SCM asks it: first for something that can be closed, then for the close.
    await late.datanode.createContainerOf(5, pipeline)
    await late.datanode.createContainerOf(6, pipeline)
    for (const container of [5, 6]) await rejection(late.datanode.closeContainerOf(container, pipeline), 'NotLeader')
    expect(stateOf(late, 5)).toBe('OPEN')
    heal()
    await leader.datanode.createContainerOf(6, pipeline)
    for (const container of [5, 6]) await leader.datanode.closeContainerOf(container, pipeline)
    const members = [...cluster.up.values()]
    await cluster.until('all are closed', () =>
      [5, 6].every((container) => members.every((member) => stateOf(member, container) === 'CLOSED')),
    )
    const found = await late.datanode.readSmall(block(1, 5), { offset: 0, length: bytes.length })
    expect(sameBytes(found, bytes)).toBe(true)
    // Of a pipeline that is not here nobody has agreed to anything.
    await late.datanode.createContainer(7)
    await late.datanode.closeContainerOf(7, 'p-9')
    expect(stateOf(late, 7)).toBe('QUASI_CLOSED')
    await rejection(late.datanode.createContainerOf(8, 'p-9'), 'Unavailable')
  })
})
