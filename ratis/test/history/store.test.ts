import { expect, test } from 'vitest'
import type { Env } from '@o3/common/env'
import { isStoreError } from '@o3/common/errors'
import type { KvStore } from '@o3/common/kv'
import { SimRandom } from '@o3/common/env/sim'
import { checkByIndex } from '../../src/testing/history/by-index.ts'
import { counterModel, type CounterInput } from '../../src/testing/history/counter-model.ts'
import { History, type CallId } from '../../src/testing/history/history.ts'
import { checkLinearizable } from '../../src/testing/history/linearizable.ts'
import type { Recorded } from '../../src/testing/history/operation.ts'
import { plantedEnv, Planting, type Plant, type PlantedCall } from '../../src/testing/planted-env.ts'
import { SimulatedStore, type SimulatedStoreOptions } from '../../src/testing/simulated-store.ts'
import { counterRules, counters, type CounterCommand, type CounterReply } from '../store/counter-rules.ts'

type Planted = Pick<SimulatedStoreOptions<CounterCommand, CounterReply>, 'plantEnv' | 'plantKv'>

const names = ['left', 'right']

/** Clients that add to counters and read them, on a machine that goes down, and who never ask twice. */
class Trial {
  readonly history = new History<CounterInput, number>()
  private readonly machine: SimulatedStore<CounterCommand, CounterReply>
  private readonly random: SimRandom
  private clients = 0

  constructor(seed: number, plant: Planted = {}) {
    this.random = new SimRandom(`history/${seed}`)
    this.machine = new SimulatedStore(counterRules, { seed, kvMaxMs: 6, store: { cacheBytes: 1000 }, ...plant })
  }

  run(): Promise<void> {
    const { machine, random } = this
    return machine.run(async () => {
      for (let round = 0; round < 6; round++) {
        const clients = Array.from({ length: 4 }, () => this.client(`c${this.clients++}`))
        const down = async (): Promise<void> => {
          await machine.simulation.clock.sleep(random.below(60))
          machine.node[random.chance(0.5) ? 'crash' : 'kill']()
        }
        await Promise.all(round % 2 === 0 ? clients : [...clients, down()])
        if (!machine.node.isUp) await machine.open()
      }
      await machine.whileUp(machine.store.close())
    })
  }

  /** For planted bugs: a log that noticed its damage refuses to start, and the history ends there. */
  async runUntilDamaged(): Promise<void> {
    try {
      await this.run()
    } catch (error) {
      if (!isStoreError(error, 'Damaged')) throw error
    }
  }

  private async client(client: string): Promise<void> {
    const { machine, random, history } = this
    for (let nth = 0; nth < 8; nth++) {
      await machine.simulation.clock.sleep(random.below(8))
      if (!machine.node.isUp) return
      const input: CounterInput = random.chance(0.5) ? { kind: 'read' } : { kind: 'add', amount: 1 + random.below(2) }
      const name = names[random.below(names.length)]!
      const id = history.call({ client, key: name, input })
      if (!(await this.ask(id, name, input))) return
    }
  }

  /** False: the answer is lost. */
  private async ask(id: CallId, name: string, input: CounterInput): Promise<boolean> {
    const { machine, random, history } = this
    if (input.kind === 'read' && random.chance(0.5)) {
      const row = await machine.whileUp(Promise.resolve(machine.store.get(counters, name)))
      if (row === 'down') return false
      history.answered(id, row?.value ?? 0, { kind: 'after', index: row?.changedBy ?? 0 })
      return true
    }
    const command = input.kind === 'add' ? { ...input, name } : ({ kind: 'look', name } as const)
    const reply = await machine.execute(command)
    if (reply === 'down') return false
    history.answered(id, reply.value, ...(input.kind === 'add' ? [{ kind: 'at', index: reply.sequence } as const] : []))
    return true
  }
}

/**
 * What one counter's row knows of the order of commands: additions say where they stand, and a read the last change that it
 * saw. The reply to a command that changes nothing tells no place.
 */
function ofOneRow(history: Recorded<CounterInput, number>, name: string): Recorded<CounterInput, number> {
  const { operations } = history
  return {
    operations: operations.filter(
      ({ key, place, outcome }) => key === name && (place !== undefined || outcome.kind === 'open'),
    ),
  }
}

function judge({ history }: Trial) {
  return {
    lost: history.operations.filter(({ outcome }) => outcome.kind === 'open').length,
    search: checkLinearizable(counterModel, history),
    rows: names.map((name) => checkByIndex(counterModel, ofOneRow(history, name))),
  }
}

test('an order explains what clients saw of a store whose machine goes down', async () => {
  let losses = 0
  for (let seed = 0; seed < Number(process.env['RUNS'] ?? 25); seed++) {
    const trial = new Trial(seed)
    await trial.run()
    const { search, rows, lost } = judge(trial)
    expect({ seed, search }).toMatchObject({ seed, search: { kind: 'ok' } })
    expect({ seed, rows }).toMatchObject({ seed, rows: [{ kind: 'ok' }, { kind: 'ok' }] })
    losses += lost
  }
  expect(losses).toBeGreaterThan(20)
})

const onDisk = (choose: (call: PlantedCall) => Plant) => {
  const planting = new Planting(choose)
  return { plantEnv: (env: Env) => plantedEnv(env, planting) }
}

/** The key-value store with some of its methods replaced. */
const onKv = (replace: (kv: KvStore) => Partial<KvStore>): Planted => ({
  plantKv: (kv) => {
    const whole: KvStore = {
      get: (key) => kv.get(key),
      getMany: (keys) => kv.getMany(keys),
      cursor: (range) => kv.cursor(range),
      write: (batch) => kv.write(batch),
      snapshot: () => kv.snapshot(),
      checkpoint: () => kv.checkpoint(),
      close: () => kv.close(),
    }
    return { ...whole, ...replace(kv) }
  },
})

test.each<[string, () => Planted]>([
  [
    'is cut before the rows are written',
    () =>
      onKv((kv) => ({
        write: (batch) => {
          void kv.write(batch)
          return Promise.resolve()
        },
      })),
  ],
  [
    'is never synced',
    () =>
      onDisk(({ operation, site }) => (operation === 'sync' && site === 'log.append.before-sync' ? 'skip' : 'keep')),
  ],
  [
    'answers before it is synced',
    () =>
      onDisk(({ operation, site }) => (operation === 'sync' && site === 'log.append.before-sync' ? 'early' : 'keep')),
  ],
])('no order explains what clients saw of a store whose log %s', async (_, plant) => {
  const found = { search: 0, rows: 0 }
  for (let seed = 0; seed < 40 && (found.search === 0 || found.rows === 0); seed++) {
    const trial = new Trial(seed, plant())
    await trial.runUntilDamaged()
    const { search, rows } = judge(trial)
    if (search.kind === 'violation') found.search++
    if (rows.some(({ kind }) => kind !== 'ok')) found.rows++
  }
  expect(found.search).toBeGreaterThan(0)
  expect(found.rows).toBeGreaterThan(0)
})
