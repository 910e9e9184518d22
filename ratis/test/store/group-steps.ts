import { StoreError, type StoreErrorCode } from '@o3/common/errors'
import type { KvStore } from '@o3/common/kv'
import type { NodeId } from '../../src/core/entry.ts'
import { SimulatedStoreGroup, type SimulatedStoreGroupOptions } from '../../src/testing/simulated-store-group.ts'
import { counterRules, counters, type CounterCommand, type CounterReply } from './counter-rules.ts'
import { ScriptedGroup } from './scripted-group.ts'

export type Group = SimulatedStoreGroup<CounterCommand, CounterReply>

/** Runs `script` on three stores whose group does what the script says; `a` leads. */
export function withGroup(
  script: (group: Group, scripted: ScriptedGroup) => Promise<void>,
  store: SimulatedStoreGroupOptions<CounterCommand, CounterReply>['store'] = {},
  plantKv: SimulatedStoreGroupOptions<CounterCommand, CounterReply>['plantKv'] = (_, kv) => kv,
): Promise<void> {
  return withGroupOf({ seed: 1, store, plantKv }, script)
}

/** The same, by chance of its own. */
export function withGroupOf(
  options: Pick<SimulatedStoreGroupOptions<CounterCommand, CounterReply>, 'seed' | 'store' | 'plantKv'>,
  script: (group: Group, scripted: ScriptedGroup) => Promise<void>,
): Promise<void> {
  const scripted = new ScriptedGroup()
  const group = new SimulatedStoreGroup(counterRules, { ...options, consensus: ({ id }) => scripted.opener(id) })
  return group.run(async () => {
    scripted.elect('a')
    await scripted.settle()
    await script(group, scripted)
  })
}

export const add = (name: string, amount = 1): CounterCommand => ({ kind: 'add', name, amount })
export const move = (from: string, to: string, amount = 1): CounterCommand => ({ kind: 'move', from, to, amount })

export async function failureOf(work: Promise<unknown>): Promise<StoreErrorCode> {
  try {
    await work
  } catch (error) {
    if (error instanceof StoreError) return error.code
    throw error
  }
  throw new Error('it did not fail')
}

/** Until what was just asked is planned, its rows fetched if need be. */
export const turn = (group: Group, id: NodeId): Promise<void> => group.node(id).process.clock.sleep(2)

export async function executed(
  group: Group,
  scripted: ScriptedGroup,
  ...commands: CounterCommand[]
): Promise<readonly CounterReply[]> {
  const replies = Promise.all(commands.map((command) => group.store(scripted.leader ?? '').execute(command)))
  await turn(group, 'a')
  await scripted.settle()
  return replies
}

export const valueOf = async (group: Group, id: NodeId, name: string): Promise<number | undefined> =>
  (await group.store(id).get(counters, name))?.value

export const rowsOf = (group: Group, id: NodeId): Promise<readonly string[]> =>
  group.store(id).read(async (view) => {
    const cursor = view.cursor(counters, { from: '' })
    const rows = await cursor.next(1000)
    await cursor.close()
    return rows.map(({ key, value }) => `${key}=${value.value}`)
  })

/** A key-value store to plant something in: its methods as properties. */
export const whole = (kv: KvStore): KvStore => ({
  get: (key) => kv.get(key),
  getMany: (keys) => kv.getMany(keys),
  cursor: (range) => kv.cursor(range),
  write: (batch) => kv.write(batch),
  snapshot: () => kv.snapshot(),
  checkpoint: () => kv.checkpoint(),
  close: () => kv.close(),
})
