import { describe, expect, test } from 'vitest'
import { StoreError } from '@o3/common/errors'
import type { KeyRange, KvStore, KvWrite } from '@o3/common/kv'
import { MemoryKv } from '@o3/common/kv/memory'
import { ReopeningKv } from '../../src/store/reopening-kv.ts'
import { openReplicatedStore } from '../../src/store/replicated-store.ts'
import { installSites } from '../../src/store/sites.ts'
import { counterRules, counters, padding, type CounterCommand } from './counter-rules.ts'
import { add, executed, failureOf, rowsOf, turn, valueOf, withGroup, withGroupOf, type Group } from './group-steps.ts'
import { ScriptedGroup } from './scripted-group.ts'

const pad = (name: string): CounterCommand => ({ kind: 'pad', name, bytes: 500 })
const small = { name: 'one', maxBytes: 1500 }

/** `c` misses what `a` and `b` do, and `a` has cut its log behind it: twenty pads, counters, named requests. */
async function leftBehind(group: Group, scripted: ScriptedGroup): Promise<void> {
  await executed(group, scripted, add('x', 5), add('old'))
  // They are in the cache from now on.
  expect(await valueOf(group, 'c', 'x')).toBeGreaterThanOrEqual(5)
  expect(await valueOf(group, 'c', 'old')).toBe(1)
  const on = async (command: CounterCommand, requestId?: string): Promise<void> => {
    const reply = group.store('a').execute(command, requestId === undefined ? {} : { requestId })
    await turn(group, 'a')
    scripted.replicate('b')
    await scripted.commit('b')
    await reply
  }
  for (let i = 0; i < 20; i++) await on(pad(`p${i}`))
  await on({ kind: 'drop', name: 'old' })
  await on(add('x'), 'checkpointed')
  await group.store('a').checkpoint()
  // Only in the ledger's memory.
  await on(add('x'), 'later')
}

/** `c` has all that `a` has, and goes on with it, as its leader too. */
async function expectCaughtUp(group: Group, scripted: ScriptedGroup): Promise<void> {
  await scripted.settle()
  expect(await rowsOf(group, 'c')).toEqual(['x=7'])
  expect(await valueOf(group, 'c', 'old')).toBeUndefined()
  expect(await group.store('c').get(padding, 'p7')).toHaveLength(500)
  await executed(group, scripted, add('x'))
  expect(await valueOf(group, 'c', 'x')).toBe(8)
  scripted.elect('c')
  await scripted.settle()
  const again = ['checkpointed', 'later'].map((requestId) => group.store('c').execute(add('x'), { requestId }))
  expect((await Promise.all(again)).map(({ value }) => value)).toEqual([6, 7])
  await executed(group, scripted, add('x'))
  for (const id of ['a', 'b', 'c']) expect(await rowsOf(group, id)).toEqual(['x=9'])
}

/** A power cut keeps what it likes of what no checkpoint covered, so there are several. */
const ends = [['kill', 1], ...[1, 2, 3, 4, 5, 6].map((seed) => ['crash', seed] as const)] as const

describe('a snapshot', () => {
  test('brings a member up that the log cannot', () =>
    withGroup(async (group, scripted) => {
      await leftBehind(group, scripted)
      expect(() => scripted.replicate('c')).toThrow('needs a snapshot')
      // A read that came before waits for it.
      const read = valueOf(group, 'c', 'x')
      expect(await scripted.sendSnapshot('a', 'c', small)).toBe('installed')
      expect(await read).toBe(7)
      const { appliedIndex } = group.store('a').status()
      expect(group.store('c').status()).toMatchObject({ appliedIndex, checkpointIndex: appliedIndex })
      await expectCaughtUp(group, scripted)
    }))

  test('tells the next leader from where its sequences go on', () =>
    withGroup(async (group, scripted) => {
      const [last] = await executed(group, scripted, add('x'))
      await leftBehind(group, scripted)
      await scripted.sendSnapshot('a', 'c', small)
      scripted.elect('c')
      await scripted.settle()
      const [next] = await executed(group, scripted, add('x'))
      // Twenty pads and four more were planned by the leader before.
      expect(next?.sequence).toBeGreaterThan((last?.sequence ?? Infinity) + 24)
    }))

  test.each(ends)('is there after a %s, seed %i', (how, seed) =>
    withGroupOf({ seed }, async (group, scripted) => {
      await leftBehind(group, scripted)
      await scripted.sendSnapshot('a', 'c', small)
      await group.restart('c', how)
      await expectCaughtUp(group, scripted)
    }),
  )

  test('is one moment, whatever is done meanwhile, and can be read again from anywhere', () =>
    withGroup(async (group, scripted) => {
      await leftBehind(group, scripted)
      const source = await scripted.member('a').machine.openSnapshot()
      const pieces = async (): Promise<readonly string[]> => {
        const found: string[] = []
        let position: string | undefined = ''
        while (position !== undefined) {
          const { bytes, next } = await source.read(position, 900)
          found.push(Buffer.from(bytes).toString('hex'))
          position = next
        }
        return found
      }
      const first = await pieces()
      expect(first.length).toBeGreaterThan(5)
      await scripted.sendSnapshot('a', 'c', small)
      await executed(group, scripted, add('x'), { kind: 'drop', name: 'x' }, pad('more'))
      await group.store('a').checkpoint()
      expect(await pieces()).toEqual(first)
      await source.close()
    }))

  test.each(ends)('that was interrupted goes on after a %s where it had come to, seed %i', (how, seed) =>
    withGroupOf({ seed }, async (group, scripted) => {
      await leftBehind(group, scripted)
      expect(await scripted.sendSnapshot('a', 'c', { ...small, pieces: 4 })).toBe('interrupted')
      const { wanted } = await scripted.member('c').machine.openReceiver('one')
      await group.restart('c', how)
      const receiver = await scripted.member('c').machine.openReceiver('one')
      expect(wanted).not.toBe('')
      expect(receiver.wanted).toBe(wanted)
      expect(await valueOf(group, 'b', 'x')).toBe(7)
      expect(await scripted.sendSnapshot('a', 'c', small)).toBe('installed')
      await expectCaughtUp(group, scripted)
    }),
  )

  test('of another name begins anew, without a row of the one before', () =>
    withGroup(async (group, scripted) => {
      await leftBehind(group, scripted)
      await scripted.sendSnapshot('a', 'c', { ...small, pieces: 12 })
      for (let i = 0; i < 20; i++) {
        const reply = group
          .store('a')
          .execute({ kind: 'drop', name: 'x' })
          .catch(() => undefined)
        await turn(group, 'a')
        scripted.replicate('b')
        await scripted.commit('b')
        await reply
      }
      expect((await scripted.member('c').machine.openReceiver('two')).wanted).toBe('')
      await scripted.sendSnapshot('a', 'c', { name: 'two', maxBytes: 1500 })
      await scripted.settle()
      expect(await rowsOf(group, 'c')).toEqual([])
    }))

  test('whose last piece was stored is asked for that piece again, and installed', () =>
    withGroup(async (group, scripted) => {
      await leftBehind(group, scripted)
      const source = await scripted.member('a').machine.openSnapshot()
      const receiver = await scripted.member('c').machine.openReceiver('one')
      for (let position: string | undefined = ''; position !== undefined;) {
        const { bytes, next } = await source.read(position, 1500)
        await receiver.store(position, next, bytes)
        position = next
      }
      await source.close()
      await group.restart('c', 'kill')
      const again = await scripted.member('c').machine.openReceiver('one')
      expect(again.wanted).not.toBe('')
      expect(await scripted.sendSnapshot('a', 'c', small)).toBe('installed')
      await expectCaughtUp(group, scripted)
    }))

  test.each(installSites.flatMap((site) => (['kill', 'crash'] as const).map((how) => [how, site] as const)))(
    'ends in the old state or in the new one after a %s at %s',
    (how, site) =>
      withGroup(async (group, scripted) => {
        await leftBehind(group, scripted)
        const before = group.store('c').status().appliedIndex
        group.node('c').onSite = (passed) => (passed === site ? how : 'go-on')
        const sent = group.whileUp('c', scripted.sendSnapshot('a', 'c', small))
        expect(await sent).toBe('down')
        group.node('c').onSite = () => 'go-on'
        await group.open('c')
        const { appliedIndex, firstLogIndex } = group.store('c').status()
        if (site === 'store.install.before-switch') {
          expect(appliedIndex).toBeLessThanOrEqual(before)
          expect(await scripted.sendSnapshot('a', 'c', small)).toBe('installed')
        } else {
          expect(appliedIndex).toBe(group.store('a').status().appliedIndex)
          expect(firstLogIndex).toBe(appliedIndex + 1)
        }
        await group.restart('c', 'crash')
        await expectCaughtUp(group, scripted)
      }),
  )

  test('leaves nothing of the state before', () =>
    withGroup(async (group, scripted) => {
      await leftBehind(group, scripted)
      await scripted.sendSnapshot('a', 'c', small)
      await group.store('c').close()
      const before = await group.node('c').openKv('db')
      expect(await before.cursor({ from: '', to: '\xff' }).next(10)).toEqual([])
    }))

  test('ends the views of the state before, and its change streams', () =>
    withGroup(async (group, scripted) => {
      await executed(group, scripted, add('x', 5))
      const seen: number[] = []
      const followed = (async () => {
        for await (const { index } of group.store('c').changes(1, new AbortController().signal)) seen.push(index)
      })()
      const ended = failureOf(followed)
      const installed = Promise.withResolvers<void>()
      const view = group.store('c').read(async (state) => {
        await installed.promise
        return [state.appliedIndex, (await state.get(counters, 'x'))?.value]
      })
      await turn(group, 'c')
      await leftBehind(group, scripted)
      await scripted.sendSnapshot('a', 'c', small)
      installed.resolve()
      // In memory the engine's snapshots outlive it.
      expect(await view).toEqual([2, 5])
      expect(await ended).toBe('InvalidRange')
      expect(seen).toEqual([2, 3, 4])
    }))

  test('is not taken without room, nor when it is another one than it claims to be', () =>
    withGroup(async (group, scripted) => {
      await leftBehind(group, scripted)
      const source = await scripted.member('a').machine.openSnapshot()
      const { bytes } = await source.read('', 1e9)
      const receiver = await scripted.member('c').machine.openReceiver('one')
      const roomy = group.node('c').disk.capacityBytes
      group.node('c').disk.capacityBytes = 1
      expect(await failureOf(receiver.store('', undefined, bytes))).toBe('OutOfSpace')
      group.node('c').disk.capacityBytes = roomy
      expect(await failureOf(receiver.store('', undefined, Uint8Array.of(9)))).toBe('Incompatible')
      expect(await failureOf(receiver.store('elsewhere', undefined, bytes))).toBe('InvalidArgument')
      await receiver.store('', undefined, bytes)
      const wrong = receiver.install({ index: source.index + 1, term: source.term }, () => Promise.resolve())
      expect(await failureOf(wrong)).toBe('Damaged')
      await receiver.discard()
      await source.close()
      expect((await scripted.member('c').machine.openReceiver('one')).wanted).toBe('')
      await scripted.sendSnapshot('a', 'c', small)
      await expectCaughtUp(group, scripted)
    }))

  test('goes on when an engine that met a full disk is opened again', async () => {
    let isFull = false
    let opened = 0
    await withGroup(
      async (group, scripted) => {
        await leftBehind(group, scripted)
        const before = opened
        const source = await scripted.member('a').machine.openSnapshot()
        const receiver = await scripted.member('c').machine.openReceiver('one')
        const { bytes, next } = await source.read('', 1500)
        isFull = true
        expect(await failureOf(receiver.store('', next, bytes))).toBe('OutOfSpace')
        isFull = false
        expect(opened).toBeGreaterThan(before + 1)
        expect(receiver.wanted).toBe('')
        await receiver.store('', next, bytes)
        expect(receiver.wanted).toBe(next)
        await source.close()
        await scripted.sendSnapshot('a', 'c', small)
        await expectCaughtUp(group, scripted)
      },
      {},
      (_, kv) => {
        opened++
        let isDead = false
        return {
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
        }
      },
    )
  })

  test('of what is applied already is refused', () =>
    withGroup(async (group, scripted) => {
      await executed(group, scripted, add('x'))
      expect(await failureOf(scripted.sendSnapshot('a', 'b', small))).toBe('InvalidArgument')
      await executed(group, scripted, add('x'))
      expect(await valueOf(group, 'b', 'x')).toBe(2)
    }))

  test('needs a place of its own', () =>
    withGroup(async (group) => {
      const other = new ScriptedGroup()
      const env = group.node('a').process
      const store = await openReplicatedStore({
        env,
        directory: 'other',
        rules: counterRules,
        kv: new MemoryKv(),
        consensus: other.opener('d'),
      })
      expect(await failureOf(other.member('d').machine.openReceiver('one'))).toBe('NotImplemented')
      await store.close()
    }))
})

test('a view of an engine that was closed under it says why', async () => {
  const first = new MemoryKv()
  await first.write([{ kind: 'put', key: 'a', value: Uint8Array.of(1) }])
  const closable: KvStore = {
    get: (key: string) => first.get(key),
    getMany: (keys: readonly string[]) => first.getMany(keys),
    cursor: (range: KeyRange) => first.cursor(range),
    write: (batch: readonly KvWrite[]) => first.write(batch),
    // Like LevelDB's, which ends with its engine.
    snapshot: () => ({ ...closable, close: () => Promise.resolve() }),
    checkpoint: () => first.checkpoint(),
    close: () => first.close(),
  }
  const kv = new ReopeningKv(closable, { open: undefined, isOwned: true })
  const snapshot = kv.snapshot()
  const cursor = snapshot.cursor({ from: '', to: '\xff' })
  expect(await snapshot.get('a')).toEqual(Uint8Array.of(1))
  await kv.replace(new MemoryKv())
  expect(await failureOf(snapshot.get('a'))).toBe('ConcurrentChange')
  expect(await failureOf(snapshot.getMany(['a']))).toBe('ConcurrentChange')
  expect(() => snapshot.cursor({ from: '', to: '\xff' })).toThrow('replaced')
  await cursor.close()
  expect(await kv.get('a')).toBeUndefined()
})
