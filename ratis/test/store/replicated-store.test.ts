import { describe, expect, test } from 'vitest'
import { MemoryKv } from '@o3/common/kv/memory'
import type { KvStore } from '@o3/common/kv'
import { StoreError, type StoreErrorCode } from '@o3/common/errors'
import type { CommittedPatch, StoreRules } from '../../src/api/api.ts'
import { newStoreCounters, openReplicatedStore, type StoreEvent } from '../../src/store/replicated-store.ts'
import { ledgerRange } from '../../src/store/system-rows.ts'
import { SimulatedStore, type SimulatedStoreOptions } from '../../src/testing/simulated-store.ts'
import { counterRules, counters, padding, type CounterCommand, type CounterReply } from './counter-rules.ts'

type Machine = SimulatedStore<CounterCommand, CounterReply>
type Options = Partial<SimulatedStoreOptions<CounterCommand, CounterReply>>

/** Runs `script` on a store of counters in virtual time. */
function withStore(script: (machine: Machine) => Promise<void>, options: Options = {}): Promise<void> {
  const machine = new SimulatedStore(counterRules, { seed: 1, ...options })
  return machine.run(() => script(machine))
}

const add = (name: string, amount = 1): CounterCommand => ({ kind: 'add', name, amount })
const move = (from: string, to: string, amount = 1): CounterCommand => ({ kind: 'move', from, to, amount })

async function valueOf(machine: Machine, name: string): Promise<number | undefined> {
  return (await machine.store.get(counters, name))?.value
}

async function failureOf(work: Promise<unknown>): Promise<StoreErrorCode> {
  try {
    await work
  } catch (error) {
    if (error instanceof StoreError) return error.code
    throw error
  }
  throw new Error('it did not fail')
}

const rowsOf = (machine: Machine, from = '', limit = 1000): Promise<readonly string[]> =>
  machine.store.read(async (view) => {
    const cursor = view.cursor(counters, { from })
    const rows = await cursor.next(limit)
    await cursor.close()
    return rows.map(({ key, value }) => `${key}=${value.value}`)
  })

describe('execute', () => {
  test('plans in the order of the calls, and answers with what each command decided', () =>
    withStore(async ({ store }) => {
      const replies = await Promise.all(
        [add('a', 5), add('a', 2), move('a', 'b', 3), add('b', 1)].map((c) => store.execute(c)),
      )
      expect(replies.map(({ value }) => value)).toEqual([5, 7, 4, 4])
    }))

  test('one turn is one entry', async () => {
    const counted = newStoreCounters()
    await withStore(
      async ({ store }) => {
        await Promise.all(Array.from({ length: 100 }, (_, i) => store.execute(add(`n${i % 5}`))))
        expect(counted).toMatchObject({ commands: 100, entries: 1, rowsWritten: 5 })
        expect(store.status()).toMatchObject({ role: 'leader', term: 1, commitIndex: 1, appliedIndex: 1 })
      },
      { store: { counters: counted } },
    )
  })

  test('commands do not wait for the disk of those before them', () =>
    withStore(async (machine) => {
      const { store, node } = machine
      await store.execute(add('a'))
      const done: string[] = []
      const first = store.execute(add('a')).then(() => done.push('first'))
      await node.process.clock.sleep(0)
      const second = store.execute(add('a')).then(({ value }) => done.push(`second sees ${value}`))
      await node.process.clock.sleep(0)
      expect(done).toEqual([])
      await first
      // What the first changed is applied; what the second changed again is still ahead of that.
      expect((await store.execute(add('a'))).value).toBe(4)
      await second
      expect(done).toEqual(['first', 'second sees 3'])
    }))

  test('a large turn is split over entries, in order', () =>
    withStore(
      async (machine) => {
        const { store } = machine
        const pads = Array.from({ length: 12 }, (_, i): CounterCommand => ({ kind: 'pad', name: `p${i}`, bytes: 2000 }))
        await Promise.all(pads.map((pad) => store.execute(pad)))
        expect(store.status().commitIndex).toBeGreaterThanOrEqual(3)
        expect((await store.get(padding, 'p11'))?.length).toBe(2000)
      },
      { store: { maxEntryBytes: 8000 } },
    ))

  test('a change that fits into no entry is refused, and nothing happened', () =>
    withStore(
      async ({ store }) => {
        expect(await failureOf(store.execute({ kind: 'pad', name: 'p', bytes: 9000 }))).toBe('TooLarge')
        expect(await store.get(padding, 'p')).toBeUndefined()
        expect(store.status().commitIndex).toBe(0)
      },
      { store: { maxEntryBytes: 8000 } },
    ))

  test('refuses with the reason of the plan', () =>
    withStore(async ({ store }) => {
      const error = await store.execute(move('a', 'b')).catch((thrown: unknown) => thrown)
      expect(error).toMatchObject({ code: 'PreconditionFailed', details: { have: 0 } })
      expect(store.status().commitIndex).toBe(0)
    }))

  test('is bounded: what cannot wait is refused with Busy, and nothing happened', () =>
    withStore(
      async (machine) => {
        const { store } = machine
        const accepted = [add('a'), add('a'), add('a')].map((command) => store.execute(command))
        expect(await failureOf(store.execute(add('a')))).toBe('Busy')
        await Promise.all(accepted)
        expect((await store.execute(add('a'))).value).toBe(4)
      },
      { store: { maxQueued: 3 } },
    ))

  test('waits for rows that are not in memory, many at once, and lets others pass', () =>
    withStore(
      async (machine) => {
        const names = Array.from({ length: 40 }, (_, i) => `n${i}`)
        await Promise.all(names.map((name) => machine.store.execute(add(name, 5))))
        await machine.restart('kill')
        const replies = await Promise.all(
          names.map((name, i) => machine.store.execute(move(name, names[(i + 1) % 40]!))),
        )
        expect(replies).toHaveLength(40)
        expect(await rowsOf(machine)).toEqual(names.toSorted().map((name) => `${name}=5`))
      },
      { store: { cacheBytes: 500 } },
    ))

  test('what was fetched for a command leaves the cache like anything else', async () => {
    const counted = newStoreCounters()
    await withStore(
      async (machine) => {
        const names = Array.from({ length: 100 }, (_, i) => `n${i}`)
        await Promise.all(names.map((name) => machine.store.execute(add(name, 5))))
        await machine.restart('kill')
        await Promise.all(names.map((name) => machine.store.execute(add(name))))
        await rowsOf(machine)
        for (let i = 0; i < 10; i++) await machine.store.execute(add('last'))
        expect(counted.cachedBytes).toBeLessThan(2000)
      },
      { store: { cacheBytes: 1000, counters: counted } },
    )
  })

  test('a row that does not decode fails its command alone', async () => {
    const machine = new SimulatedStore(counterRules, { seed: 1 })
    await machine.run(async () => {
      await machine.store.execute(add('good'))
      await machine.store.close()
      const kv = await machine.node.openKv('kv')
      await kv.write([{ kind: 'put', key: 'cbad', value: Uint8Array.of(1) }])
      await machine.restart('kill')
      const outcomes = await Promise.allSettled([machine.store.execute(add('bad')), machine.store.execute(add('good'))])
      expect(outcomes).toMatchObject([
        { status: 'rejected', reason: { code: 'Damaged' } },
        { status: 'fulfilled', value: { value: 2 } },
      ])
    })
  })

  test.each([
    ['two tables with one prefix', [counters, { ...padding, prefix: counters.prefix }]],
    ['a prefix among the rows of the store itself', [{ ...counters, prefix: '\0' }]],
  ])('rules with %s are a bug', async (_, tables) => {
    const rules = { ...counterRules, tables: tables as unknown as typeof counterRules.tables }
    await expect(new SimulatedStore(rules, { seed: 1 }).run(() => Promise.resolve())).rejects.toThrow('prefix')
  })

  test('a bug in a rule is not turned into an answer', async () => {
    const buggy: StoreRules<CounterCommand, CounterReply> = {
      ...counterRules,
      plan: () => {
        throw new TypeError('a bug')
      },
    }
    const machine = new SimulatedStore(buggy, { seed: 1 })
    await expect(machine.run(async () => void (await machine.store.execute(add('a'))))).rejects.toThrow('a bug')
  })
})

describe('exactly once', () => {
  test('a second call with the id of one under way joins it', () =>
    withStore(async (machine) => {
      const { store } = machine
      const replies = await Promise.all([1, 2, 3].map(() => store.execute(add('a'), { requestId: 'r' })))
      expect(replies.map(({ value }) => value)).toEqual([1, 1, 1])
      expect(await valueOf(machine, 'a')).toBe(1)
    }))

  test.each(['kill', 'crash'] as const)(
    'a retry after a %s gets the same answer, from the log and from a checkpoint',
    (how) =>
      withStore(async (machine) => {
        const first = await machine.store.execute(add('a'), { requestId: 'first' })
        await machine.store.checkpoint()
        const second = await machine.store.execute(add('a'), { requestId: 'second' })
        await machine.restart(how)
        expect(await machine.execute(add('a'), { requestId: 'first' })).toEqual(first)
        expect(await machine.execute(add('a'), { requestId: 'second' })).toEqual(second)
        expect(await valueOf(machine, 'a')).toBe(2)
      }),
  )

  test('is kept over many checkpoints, and forgotten with the window', () =>
    withStore(
      async (machine) => {
        for (let i = 0; i < 6; i++) {
          await machine.store.execute(add('a'), { requestId: `r${i}` })
          await machine.store.checkpoint()
        }
        await machine.restart('crash')
        const again = []
        for (let i = 5; i >= 0; i--) again.push((await machine.store.execute(add('a'), { requestId: `r${i}` })).value)
        // The window is four: the two oldest are done again.
        expect(again).toEqual([6, 5, 4, 3, 7, 8])
        await machine.store.close()
        const cursor = (await machine.node.openKv('kv')).cursor(ledgerRange)
        expect((await cursor.next(100)).length).toBeLessThanOrEqual(4)
      },
      { store: { requests: { maxRequests: 4 } } },
    ))

  test('a refusal sticks while the store lives, and is planned again by the next one', () =>
    withStore(async (machine) => {
      const ask = () => machine.store.execute(move('a', 'b'), { requestId: 'r' })
      expect(await failureOf(ask())).toBe('PreconditionFailed')
      await machine.store.execute(add('a'))
      expect(await failureOf(ask())).toBe('PreconditionFailed')
      await machine.restart('kill')
      expect((await ask()).value).toBe(0)
    }))

  test('a reply that changed nothing sticks as well', () =>
    withStore(async ({ store }) => {
      const look = () => store.execute({ kind: 'look', name: 'a' }, { requestId: 'r' })
      const first = await look()
      await store.execute(add('a'))
      expect(await look()).toEqual(first)
      expect(store.status().commitIndex).toBe(1)
    }))

  test.each(['', 'x'.repeat(65), 'ü'.repeat(33)])('a request id has 1 to 64 bytes: %s', (requestId) =>
    withStore(async ({ store }) => {
      expect(await failureOf(store.execute(add('a'), { requestId }))).toBe('InvalidArgument')
    }),
  )

  test('sequences go on after a restart', () =>
    withStore(async (machine) => {
      const sequences: number[] = []
      for (const how of ['kill', 'crash', 'crash'] as const) {
        sequences.push((await machine.store.execute(add('a'))).sequence)
        await machine.store.checkpoint()
        sequences.push((await machine.store.execute(add('b'))).sequence)
        await machine.restart(how)
      }
      expect(sequences).toEqual([...new Set(sequences)].toSorted((a, b) => a - b))
    }))
})

describe('reads', () => {
  test('a cached row comes at once, and never before it is committed', () =>
    withStore(async ({ store, node }) => {
      await store.execute(add('a'))
      const change = store.execute(add('a'))
      await node.process.clock.sleep(0)
      expect(store.get(counters, 'a')).toMatchObject({ value: 1 })
      await change
      expect(store.get(counters, 'a')).toMatchObject({ value: 2 })
    }))

  test('a row that is not there is known to be not there', () =>
    withStore(async ({ store }) => {
      const first = store.get(counters, 'a')
      expect(first).toBeInstanceOf(Promise)
      expect(await first).toBeUndefined()
      expect(store.get(counters, 'a')).toBeUndefined()
    }))

  test('a fetch that a change overtakes does not leave the old value behind', () =>
    withStore(
      async (machine) => {
        await machine.store.execute(add('a'))
        await machine.restart('kill')
        const old = machine.store.get(counters, 'a')
        await machine.store.execute(add('a'))
        await old
        expect(await valueOf(machine, 'a')).toBe(2)
      },
      { kvMaxMs: 30 },
    ))

  test('a fetch that a blind write overtakes does not either, and nobody joins it any more', () =>
    withStore(
      async (machine) => {
        const { store } = machine
        const old = store.get(padding, 'p')
        await store.execute({ kind: 'pad', name: 'p', bytes: 5 })
        expect(((await store.get(padding, 'p')) as Uint8Array).length).toBe(5)
        await old
        expect(((await store.get(padding, 'p')) as Uint8Array).length).toBe(5)
      },
      { kvMaxMs: 30 },
    ))

  test('rows that are committed and not yet written stay in memory, whatever the size of the cache', () =>
    withStore(
      async (machine) => {
        const { store } = machine
        const names = Array.from({ length: 50 }, (_, i) => `n${i}`)
        await Promise.all(names.map((name) => store.execute(add(name))))
        expect(names.map((name) => store.get(counters, name))).toMatchObject(names.map(() => ({ value: 1 })))
        await rowsOf(machine)
        await Promise.all(names.map((name) => store.execute(add(name))))
        expect(await rowsOf(machine)).toEqual(names.toSorted().map((name) => `${name}=2`))
      },
      { kvMaxMs: 200, store: { cacheBytes: 300 } },
    ))

  test('a view is one moment, no older than the call', () =>
    withStore(async (machine) => {
      const { store } = machine
      await Promise.all([store.execute(add('a', 9)), store.execute(add('b'))])
      const later = store.execute(move('a', 'b', 4))
      const view = store.read(async (state) => {
        expect(state.appliedIndex).toBe(1)
        await later
        return [(await state.get(counters, 'a'))?.value, (await state.get(counters, 'b'))?.value]
      })
      expect(await view).toEqual([9, 1])
      expect(await rowsOf(machine)).toEqual(['a=5', 'b=5'])
    }))

  test('cursors stay within their table and range, both ways, and seek', () =>
    withStore(async ({ store }) => {
      await Promise.all('abcdef'.split('').map((name) => store.execute(add(name))))
      await store.execute({ kind: 'pad', name: 'zzz', bytes: 1 })
      await store.read(async (view) => {
        const keys = async (range: { from: string; to?: string; reverse?: boolean }, seek?: string) => {
          const cursor = view.cursor(counters, range)
          if (seek !== undefined) cursor.seek(seek)
          const rows = [...(await cursor.next(2)), ...(await cursor.next(100))]
          await cursor.close()
          return rows.map(({ key }) => key).join('')
        }
        expect(await keys({ from: '' })).toBe('abcdef')
        expect(await keys({ from: 'b', to: 'e' })).toBe('bcd')
        expect(await keys({ from: '', reverse: true })).toBe('fedcba')
        expect(await keys({ from: 'b', to: 'e', reverse: true }, 'c')).toBe('cb')
        expect(await keys({ from: '' }, 'd')).toBe('def')
      })
    }))
})

describe('the change stream', () => {
  /** Follows in the background; `seen` grows. */
  function follow(machine: Machine, from: number) {
    const seen: CommittedPatch[] = []
    const stop = new AbortController()
    const ended = (async () => {
      for await (const patch of machine.store.changes(from, stop.signal)) seen.push(patch)
    })()
    return { seen, stop, ended }
  }

  test('brings every patch in order, then new ones, until it is told to stop', () =>
    withStore(async (machine) => {
      const { store, node } = machine
      for (const name of ['a', 'b']) await store.execute(add(name))
      const follower = follow(machine, 1)
      await node.process.clock.sleep(20)
      expect(follower.seen.map(({ index, term, rows }) => [index, term, rows.map(({ rowKey }) => rowKey)])).toEqual([
        [1, 1, ['ca']],
        [2, 1, ['cb']],
      ])
      await store.execute({ kind: 'drop', name: 'a' })
      await node.process.clock.sleep(20)
      expect(follower.seen.at(-1)).toMatchObject({ index: 3, rows: [{ rowKey: 'ca', value: undefined }] })
      follower.stop.abort()
      await follower.ended
      await store.execute(add('c'))
      expect(follower.seen).toHaveLength(3)
    }))

  test('resumes where a follower stopped, after a restart too', () =>
    withStore(async (machine) => {
      for (const name of ['a', 'b', 'c']) await machine.store.execute(add(name))
      await machine.restart('crash')
      await machine.store.execute(add('d'))
      const follower = follow(machine, 3)
      await machine.node.process.clock.sleep(20)
      expect(follower.seen.map(({ index }) => index)).toEqual([3, 4])
      expect(follower.seen.map(({ term }) => term)).toEqual([1, 2])
      follower.stop.abort()
      await follower.ended
    }))

  test('what was compacted away is refused', () =>
    withStore(async (machine) => {
      for (let i = 0; i < 12; i++) await machine.store.execute({ kind: 'pad', name: 'p', bytes: 6000 })
      await machine.store.checkpoint()
      const { firstLogIndex } = machine.store.status()
      expect(firstLogIndex).toBeGreaterThan(1)
      expect(await failureOf(follow(machine, 1).ended)).toBe('InvalidRange')
      const follower = follow(machine, firstLogIndex)
      await machine.node.process.clock.sleep(50)
      expect(follower.seen[0]?.index).toBe(firstLogIndex)
      follower.stop.abort()
      await follower.ended
    }))

  test('followers learn that the store closed', () =>
    withStore(async (machine) => {
      const follower = follow(machine, 1)
      const ended = failureOf(follower.ended)
      await machine.node.process.clock.sleep(5)
      await machine.store.close()
      expect(await ended).toBe('Closed')
    }))
})

describe('checkpoints', () => {
  test('happen by themselves after enough log, and cut it', async () => {
    const events: StoreEvent[] = []
    await withStore(
      async (machine) => {
        for (let i = 0; i < 20; i++) await machine.store.execute({ kind: 'pad', name: `p${i}`, bytes: 6000 })
        await machine.node.process.clock.sleep(100)
        const { checkpointIndex, firstLogIndex, logBytes } = machine.store.status()
        expect(checkpointIndex).toBeGreaterThan(10)
        expect(firstLogIndex).toBeGreaterThan(10)
        expect(logBytes).toBeLessThan(100_000)
        expect(events.filter(({ kind }) => kind === 'checkpoint').length).toBeGreaterThan(1)
      },
      { store: { observe: (event) => void events.push(event) } },
    )
  })

  test('count what the log takes on disk: small entries have a block each', async () => {
    const events: StoreEvent[] = []
    await withStore(
      async (machine) => {
        for (let i = 0; i < 40; i++) await machine.store.execute(add('a'))
        await machine.node.process.clock.sleep(100)
        expect(events.filter(({ kind }) => kind === 'checkpoint').length).toBeGreaterThan(1)
      },
      {
        store: { checkpoint: { everyLogBytes: 48 * 1024, everyMs: 1e9 }, observe: (event) => void events.push(event) },
      },
    )
  })

  test('happen by themselves after a while, and not in an idle store', async () => {
    const events: StoreEvent[] = []
    await withStore(
      async (machine) => {
        const { clock } = machine.node.process
        await machine.store.execute(add('a'))
        await clock.sleep(900)
        expect(machine.store.status().checkpointIndex).toBe(0)
        await clock.sleep(200)
        expect(machine.store.status().checkpointIndex).toBe(1)
        await clock.sleep(10_000)
        expect(events.filter(({ kind }) => kind === 'checkpoint')).toHaveLength(1)
      },
      { store: { checkpoint: { everyMs: 1000 }, observe: (event) => void events.push(event) } },
    )
  })

  test('cover what came after one that was asked for, when the time comes', () =>
    withStore(
      async (machine) => {
        const { clock } = machine.node.process
        await machine.store.execute(add('a'))
        await machine.store.checkpoint()
        await clock.sleep(500)
        await machine.store.execute(add('a'))
        await clock.sleep(1100)
        expect(machine.store.status().checkpointIndex).toBe(2)
      },
      { store: { checkpoint: { everyMs: 1000 } } },
    ))

  test('that found no room are taken when there is some', async () => {
    const events: StoreEvent[] = []
    await withStore(
      async (machine) => {
        const { node } = machine
        const { clock } = node.process
        const roomy = node.disk.capacityBytes
        await machine.store.execute(add('a'))
        node.disk.capacityBytes = 100_000
        await clock.sleep(1100)
        expect(events.at(-1)).toMatchObject({ kind: 'checkpoint-postponed', error: { code: 'OutOfSpace' } })
        node.disk.capacityBytes = roomy
        await clock.sleep(1100)
        expect(machine.store.status().checkpointIndex).toBe(1)
      },
      { store: { checkpoint: { everyMs: 1000 }, observe: (event) => void events.push(event) } },
    )
  })

  test('keep the log that followers may still want', () =>
    withStore(
      async (machine) => {
        for (let i = 0; i < 20; i++) await machine.store.execute({ kind: 'pad', name: `p${i}`, bytes: 6000 })
        await machine.store.checkpoint()
        expect(machine.store.status().logBytes).toBeGreaterThanOrEqual(60_000)
      },
      { store: { checkpoint: { keepLogBytes: 60_000 } } },
    ))

  test('cut nothing that came while they ran', () =>
    withStore(
      async (machine) => {
        const { store } = machine
        // Three entries fill a segment; the checkpoint covers two.
        const pad = (n: number): CounterCommand => ({ kind: 'pad', name: `p${n}`, bytes: 3900 })
        for (const n of [1, 2]) await store.execute(pad(n))
        await rowsOf(machine)
        const checkpoint = store.checkpoint()
        for (const n of [3, 4, 5, 6]) await store.execute(pad(n))
        await checkpoint
        expect(store.status()).toMatchObject({ checkpointIndex: 2, firstLogIndex: 1, commitIndex: 6 })
        await machine.restart('crash')
        for (let n = 1; n <= 6; n++) expect((await machine.store.get(padding, `p${n}`))?.length).toBe(3900)
      },
      { kvMaxMs: 300, store: { log: { segmentBytes: 16 * 1024 } } },
    ))

  test('a start after one replays nothing; without one it replays everything', async () => {
    const events: StoreEvent[] = []
    const replayed = () => events.findLast((event) => event.kind === 'opened')?.replayedEntries
    await withStore(
      async (machine) => {
        for (const name of ['a', 'b', 'c']) await machine.store.execute(add(name))
        await machine.restart('kill')
        expect(replayed()).toBe(3)
        await machine.store.checkpoint()
        await machine.restart('crash')
        expect(replayed()).toBe(0)
        expect(await rowsOf(machine)).toEqual(['a=1', 'b=1', 'c=1'])
      },
      { store: { observe: (event) => void events.push(event) } },
    )
  })
})

describe('rows and log that do not belong together refuse to start', () => {
  const log = { segmentBytes: 32 * 1024 }

  /** A store in which one command was executed and checkpointed, and another one was only executed. */
  async function used(
    script: (machine: Machine, open: (kv: KvStore) => Promise<unknown>) => Promise<void>,
  ): Promise<void> {
    await withStore(async (machine) => {
      await machine.store.execute(add('a'))
      await machine.store.checkpoint()
      await machine.store.execute(add('b'))
      machine.node.kill()
      const env = machine.node.boot()
      await script(machine, (kv) => openReplicatedStore({ env, directory: 'store', rules: counterRules, kv, log }))
    })
  }

  test('the rows are gone', () =>
    used(async (_, open) => {
      expect(await failureOf(open(new MemoryKv()))).toBe('Damaged')
    }))

  test('the rows are those of another store', () =>
    used(async (machine, open) => {
      const other = new MemoryKv()
      const env = machine.node.process
      const store = await openReplicatedStore({ env, directory: 'other', rules: counterRules, kv: other, log })
      await store.close()
      expect(await failureOf(open(other.reopen()))).toBe('Incompatible')
    }))

  test('the log is gone', () =>
    used(async (machine, open) => {
      const { disk } = machine.node.process
      for (const name of await disk.list('store/log')) await disk.remove(`store/log/${name}`)
      expect(await failureOf(open(await machine.node.openKv('kv')))).toBe('Incompatible')
    }))

  test('the rows are older than the checkpoint', () =>
    used(async (machine, open) => {
      const kv = await machine.node.openKv('kv')
      await kv.write([{ kind: 'delete', key: '\0applied' }])
      expect(await failureOf(open(kv))).toBe('Damaged')
    }))
})

describe('failures', () => {
  const segment = /\.segment$|\/spare/

  test('after a failed sync of the log nothing is acknowledged, reads go on, and the restart tells', () =>
    withStore(async (machine) => {
      const { store, node } = machine
      await store.execute(add('a'))
      node.disk.inject({ operation: 'sync', errno: 'EIO', path: segment })
      // The second is refused by a plan that saw the first: its answer hangs on an entry of unknown outcome.
      const outcomes = await Promise.allSettled([store.execute(add('a')), store.execute(move('a', 'b', 9))])
      expect(outcomes).toMatchObject([{ reason: { code: 'OutcomeUnknown' } }, { reason: { code: 'OutcomeUnknown' } }])
      expect(await failureOf(store.execute(add('a')))).toBe('VolumeFailed')
      expect(store.status().failed?.code).toBe('VolumeFailed')
      expect(await valueOf(machine, 'a')).toBe(1)
      expect(await rowsOf(machine)).toEqual(['a=1'])
      await store.close()
      await machine.restart('crash')
      expect((await machine.store.execute(add('a'))).value).toBe(2)
    }))

  test('an answer hangs on the youngest entry that it was found by, whatever it looked at last', () =>
    withStore(async (machine) => {
      const { store, node } = machine
      await Promise.all([store.execute(add('a')), store.execute(add('b'))])
      node.disk.inject({ operation: 'sync', errno: 'EIO', path: segment, after: 1 })
      const older = store.execute(add('b'))
      await node.process.clock.sleep(0)
      const younger = store.execute(add('a'))
      await node.process.clock.sleep(0)
      // Looks at `a` first, then at `b`.
      const refused = store.execute(move('a', 'b', 9))
      const outcomes = await Promise.allSettled([older, younger, refused])
      expect(outcomes).toMatchObject([
        { value: { value: 2 } },
        { reason: { code: 'OutcomeUnknown' } },
        { reason: { code: 'OutcomeUnknown' } },
      ])
    }))

  test('a disk that is full when the log writes: nothing happened, and the next command is planned without it', () =>
    withStore(async (machine) => {
      const { store, node } = machine
      await store.execute(add('a'))
      node.disk.inject({ operation: 'write', errno: 'ENOSPC', path: segment })
      const ask = () => store.execute(add('a'), { requestId: 'r' })
      const outcomes = await Promise.allSettled([ask(), store.execute(move('a', 'b', 2))])
      expect(outcomes).toMatchObject([{ reason: { code: 'OutOfSpace' } }, { reason: { code: 'OutOfSpace' } }])
      expect((await ask()).value).toBe(2)
      await machine.restart('crash')
      expect(await rowsOf(machine)).toEqual(['a=2'])
    }))

  test('a disk that is nearly full takes only what frees space, until space returns', () =>
    withStore(
      async (machine) => {
        const { store, node } = machine
        await store.execute(add('a'))
        const roomy = node.disk.capacityBytes
        node.disk.capacityBytes = 300_000
        await node.process.clock.sleep(2000)
        // The first command after a while only starts the look at the disk.
        await store.execute(add('a'))
        await node.process.clock.sleep(10)
        expect(await failureOf(store.execute(add('a')))).toBe('OutOfSpace')
        expect((await store.execute({ kind: 'drop', name: 'a' })).value).toBe(2)
        expect(await valueOf(machine, 'a')).toBeUndefined()
        node.disk.capacityBytes = roomy
        await node.process.clock.sleep(2000)
        await failureOf(store.execute(add('a')))
        await node.process.clock.sleep(10)
        expect((await store.execute(add('a'))).value).toBe(1)
      },
      { store: { minFreeBytes: 1_000_000 } },
    ))

  test('without room for the next log segment deletes go on, a checkpoint gives room back, and all is well again', () =>
    withStore(
      async (machine) => {
        const { store, node } = machine
        const pad = (name: string): CounterCommand => ({ kind: 'pad', name, bytes: 9000 })
        await store.execute(add('a'))
        await node.process.clock.sleep(500)
        const { totalBytes, availableBytes } = await node.disk.space('.')
        node.disk.capacityBytes = totalBytes - availableBytes
        // Into the spare segment: from then on there is no reserve behind it.
        for (let i = 0; i < 3; i++) await store.execute(pad(`p${i}`))
        await node.process.clock.sleep(500)
        expect(await failureOf(store.execute(pad('more')))).toBe('OutOfSpace')
        expect((await store.execute({ kind: 'drop', name: 'a' })).value).toBe(1)
        await store.checkpoint()
        await node.process.clock.sleep(2000)
        await store.execute(pad('again'))
        expect(store.status().failed).toBeUndefined()
      },
      { store: { minFreeBytes: 0, checkpoint: { everyLogBytes: 1e9, keepLogBytes: 0 } } },
    ))

  test('more than the log can hold at once is planned bit by bit', () =>
    withStore(
      async ({ store }) => {
        const pads = Array.from({ length: 60 }, (_, i) => store.execute({ kind: 'pad', name: `p${i}`, bytes: 7000 }))
        await Promise.all(pads)
        expect(store.status().commitIndex).toBe(60)
      },
      { store: { log: { segmentBytes: 32 * 1024, maxQueuedBytes: 24_000 } } },
    ))

  test('rows that find no space wait for it, and nothing is lost', async () => {
    let isFull = false
    await withStore(
      async (machine) => {
        const { store, node } = machine
        await store.execute(add('a'))
        isFull = true
        // Durable in the log, visible, and on its way.
        expect((await store.execute(add('a'))).value).toBe(2)
        await node.process.clock.sleep(10)
        expect(await failureOf(store.execute(add('a')))).toBe('OutOfSpace')
        expect(await valueOf(machine, 'a')).toBe(2)
        isFull = false
        await node.process.clock.sleep(2000)
        expect(await rowsOf(machine)).toEqual(['a=2'])
        expect((await store.execute(add('a'))).value).toBe(3)
        isFull = true
        await store.execute(add('a'))
        await node.process.clock.sleep(10)
        await store.close()
        isFull = false
        await machine.restart('crash')
        expect(await rowsOf(machine)).toEqual(['a=4'])
      },
      {
        plantKv: (kv) => ({
          get: (key) => kv.get(key),
          getMany: (keys) => kv.getMany(keys),
          cursor: (range) => kv.cursor(range),
          write: (batch) => (isFull ? Promise.reject(new StoreError('OutOfSpace', 'full')) : kv.write(batch)),
          snapshot: () => kv.snapshot(),
          checkpoint: () => kv.checkpoint(),
          close: () => kv.close(),
        }),
      },
    )
  })

  test('an engine that is done for after a full disk is opened again', async () => {
    let isFull = false
    let isDead = false
    let reopened = 0
    const onFullDisk = (kv: KvStore): KvStore => ({
      get: (key) => kv.get(key),
      getMany: (keys) => kv.getMany(keys),
      cursor: (range) => kv.cursor(range),
      write: (batch) => {
        isDead ||= isFull
        return isDead ? Promise.reject(new StoreError('OutOfSpace', 'full')) : kv.write(batch)
      },
      snapshot: () => kv.snapshot(),
      checkpoint: () => kv.checkpoint(),
      close: () => kv.close(),
    })
    await withStore(async (machine) => {
      const { node } = machine
      machine.node.kill()
      const env = node.boot()
      const store = await openReplicatedStore({
        env,
        directory: 'store',
        rules: counterRules,
        kv: onFullDisk(await node.openKv('kv')),
        reopenKv: async () => {
          reopened++
          isDead = false
          return onFullDisk(await node.openKv('kv'))
        },
        log: { segmentBytes: 32 * 1024 },
        minFreeBytes: 100_000,
      })
      isFull = true
      await store.execute(add('a'))
      const { totalBytes, availableBytes } = await node.disk.space('.')
      node.disk.capacityBytes = totalBytes - availableBytes
      await env.clock.sleep(5000)
      // Not before there is room: an engine that cannot be opened would take the reads with it.
      expect(reopened).toBe(0)
      isFull = false
      node.disk.capacityBytes += 1_000_000
      await env.clock.sleep(5000)
      expect(reopened).toBe(1)
      expect((await store.execute(add('a'))).value).toBe(2)
      expect(await store.read((view) => view.get(counters, 'a'))).toMatchObject({ value: 2 })
      await store.close()
    })
  })

  test('rows that cannot be written end the store; the log has them', async () => {
    let isBroken = false
    const events: StoreEvent[] = []
    await withStore(
      async (machine) => {
        const { store, node } = machine
        isBroken = true
        expect((await store.execute(add('a'))).value).toBe(1)
        await node.process.clock.sleep(10)
        expect(await failureOf(store.execute(add('a')))).toBe('VolumeFailed')
        expect(store.status().failed?.code).toBe('VolumeFailed')
        expect(events.at(-1)).toMatchObject({ kind: 'failed' })
        expect(await valueOf(machine, 'a')).toBe(1)
        expect(await failureOf(rowsOf(machine))).toBe('VolumeFailed')
        await store.close()
        isBroken = false
        await machine.restart('crash')
        expect(await rowsOf(machine)).toEqual(['a=1'])
      },
      {
        store: { observe: (event) => void events.push(event) },
        plantKv: (kv) => ({
          get: (key) => kv.get(key),
          getMany: (keys) => kv.getMany(keys),
          cursor: (range) => kv.cursor(range),
          write: (batch) => (isBroken ? Promise.reject(new StoreError('Internal', 'broken')) : kv.write(batch)),
          snapshot: () => kv.snapshot(),
          checkpoint: () => kv.checkpoint(),
          close: () => kv.close(),
        }),
      },
    )
  })
})

describe('close', () => {
  test('finishes what is under way, checkpoints, and refuses from then on', () =>
    withStore(async (machine) => {
      const { store } = machine
      const last = store.execute(add('a'))
      await store.close()
      await store.close()
      expect((await last).value).toBe(1)
      expect(await failureOf(store.execute(add('a')))).toBe('Closed')
      expect(await failureOf(store.checkpoint())).toBe('Closed')
      expect(store.status().checkpointIndex).toBe(1)
      await machine.restart('crash')
      expect(await rowsOf(machine)).toEqual(['a=1'])
    }))
})

test('two starts on one seed go the same way', async () => {
  const run = async () => {
    const machine = new SimulatedStore(counterRules, { seed: 'same' })
    await machine.run(async () => {
      await Promise.all('abcabc'.split('').map((name) => machine.store.execute(add(name), { requestId: name })))
      await machine.restart('crash')
      await machine.store.checkpoint()
    })
    return machine.simulation.traceHash
  }
  expect(await run()).toBe(await run())
})
