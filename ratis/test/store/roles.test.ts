import { describe, expect, test } from 'vitest'
import { StoreError } from '@o3/common/errors'
import { decodeConfiguration } from '../../src/core/configuration.ts'
import { configurationKey, decodeConfigurationRow } from '../../src/store/system-rows.ts'
import { counters, padding } from './counter-rules.ts'
import { add, executed, failureOf, move, rowsOf, turn, valueOf, whole, withGroup, type Group } from './group-steps.ts'

describe('who leads', () => {
  test('answers when the entry is committed, and everybody applies it', () =>
    withGroup(async (group, scripted) => {
      const answers: number[] = []
      const reply = group.store('a').execute(add('x', 5))
      void reply.then(({ value }) => answers.push(value))
      await turn(group, 'a')
      scripted.replicate('b', 'c')
      await turn(group, 'a')
      expect(answers).toEqual([])
      await scripted.commit('b')
      await reply
      expect(answers).toEqual([5])
      expect(await valueOf(group, 'b', 'x')).toBe(5)
      expect(await rowsOf(group, 'b')).toEqual(['x=5'])
      expect(group.store('a').status()).toMatchObject({ role: 'leader', term: 1, leader: 'a', appliedIndex: 2 })
      expect(group.store('b').status()).toMatchObject({ role: 'follower', term: 1, leader: 'a', appliedIndex: 2 })
    }))

  test('others send the caller to it', () =>
    withGroup(async (group, scripted) => {
      const error = await group
        .store('b')
        .execute(add('x'))
        .catch((thrown: unknown) => thrown)
      expect(error).toMatchObject({ code: 'NotLeader', details: { leader: 'a', address: 'host-a:1' } })
      scripted.depose()
      const lost = await group
        .store('b')
        .execute(add('x'))
        .catch((thrown: unknown) => thrown)
      expect(lost).toMatchObject({ code: 'NotLeader', details: {} })
    }))

  test('serves only after everything of earlier terms is applied', () =>
    withGroup(async (group, scripted) => {
      await executed(group, scripted, add('x'))
      scripted.elect('b')
      expect(await failureOf(group.store('b').execute(add('x')))).toBe('NotLeader')
      const read = group.store('b').get(counters, 'x')
      await scripted.settle()
      expect(await read).toMatchObject({ value: 1 })
      const reply = group.store('b').execute(add('x'))
      await turn(group, 'b')
      await scripted.settle()
      expect((await reply).value).toBe(2)
      expect(await valueOf(group, 'a', 'x')).toBe(2)
    }))

  test('sequences go on above those of every leader before', () =>
    withGroup(async (group, scripted) => {
      const sequences: number[] = []
      for (const id of ['a', 'b', 'c', 'a', 'c']) {
        scripted.elect(id)
        await scripted.settle()
        for (let i = 0; i < 3; i++) {
          const reply = group.store(id).execute(add('x'))
          await turn(group, id)
          await scripted.settle()
          sequences.push((await reply).sequence)
        }
      }
      expect(sequences).toEqual([...new Set(sequences)].toSorted((a, b) => a - b))
    }))
})

test('a refusal in the middle takes back what it refuses, and nothing that went before', () =>
  withGroup(async (group, scripted) => {
    await executed(group, scripted, add('x', 5))
    const kept = group.store('a').execute(add('x'))
    await turn(group, 'a')
    const refused = group.store('a').execute(add('x', 100))
    await turn(group, 'a')
    const member = scripted.member('a')
    member.refuse(member.lastIndex, new StoreError('OutOfSpace', 'full'))
    expect(await failureOf(refused)).toBe('OutOfSpace')
    // Planned over the one that is still on its way.
    const next = group.store('a').execute(add('x'))
    await turn(group, 'a')
    await scripted.settle()
    expect([(await kept).value, (await next).value]).toEqual([6, 7])
  }))

test('what the group does not take is answered with its reason, and nothing happened', () =>
  withGroup(async (group, scripted) => {
    await executed(group, scripted, add('x', 5))
    scripted.member('a').refusesWith = new StoreError('Busy', 'too much is uncommitted')
    expect(await failureOf(group.store('a').execute(add('x')))).toBe('Busy')
    scripted.member('a').refusesWith = undefined
    await executed(group, scripted, add('x'))
    expect(await valueOf(group, 'b', 'x')).toBe(6)
  }))

describe('a leader without a lease', () => {
  const answersOf = async (group: Group, lose: () => void): Promise<readonly unknown[]> => {
    const asked = Promise.allSettled([
      group.store('a').execute({ kind: 'look', name: 'x' }),
      group.store('a').execute(move('x', 'y', 99)),
    ])
    await turn(group, 'a')
    lose()
    return (await asked).map((outcome) => (outcome.status === 'rejected' ? outcome.reason.code : outcome.value.value))
  }

  test('answers what changes nothing when it is sure that it leads', () =>
    withGroup(async (group, scripted) => {
      await executed(group, scripted, add('x', 5))
      const { promise, resolve } = Promise.withResolvers<void>()
      scripted.member('a').lease = promise
      const read = group.store('a').get(counters, 'x')
      expect(read).toBeInstanceOf(Promise)
      expect(await answersOf(group, resolve)).toEqual([5, 'PreconditionFailed'])
      expect(await read).toMatchObject({ value: 5 })
    }))

  test('answers nothing of it when somebody else leads by then', () =>
    withGroup(async (group, scripted) => {
      await executed(group, scripted, add('x', 5))
      const { promise, resolve } = Promise.withResolvers<void>()
      scripted.member('a').lease = promise
      const lose = (): void => {
        scripted.elect('b')
        resolve()
      }
      expect(await answersOf(group, lose)).toEqual(['NotLeader', 'NotLeader'])
    }))

  test('nor when it has led again since, for others may have led between', () =>
    withGroup(async (group, scripted) => {
      await executed(group, scripted, add('x', 5))
      const { promise, resolve } = Promise.withResolvers<void>()
      scripted.member('a').lease = promise
      const asked = group.store('a').execute({ kind: 'look', name: 'x' })
      const failure = failureOf(asked)
      await turn(group, 'a')
      scripted.elect('b')
      await scripted.settle()
      scripted.elect('a')
      await scripted.settle()
      resolve()
      expect(await failure).toBe('NotLeader')
    }))

  test('passes on that it cannot find out', () =>
    withGroup(async (group, scripted) => {
      await executed(group, scripted, add('x', 5))
      const { promise, reject } = Promise.withResolvers<void>()
      scripted.member('a').lease = promise
      const fail = (): void => reject(new StoreError('DeadlineExceeded', 'no majority answers'))
      expect(await answersOf(group, fail)).toEqual(['DeadlineExceeded', 'DeadlineExceeded'])
    }))
})

describe('leadership lost', () => {
  test('what was handed out is unknown; what only looked at it, or was not planned yet, goes elsewhere', () =>
    withGroup(async (group, scripted) => {
      await executed(group, scripted, add('x'))
      const changed = group.store('a').execute(add('x'))
      const refused = group.store('a').execute(move('x', 'y', 9))
      const looked = group.store('a').execute({ kind: 'look', name: 'x' })
      await turn(group, 'a')
      const queued = group.store('a').execute(add('x'))
      const waitsForRows = group.store('a').execute(add('cold'))
      scripted.elect('b')
      const outcomes = await Promise.allSettled([changed, refused, looked, queued, waitsForRows])
      expect(outcomes.map((outcome) => outcome.status === 'rejected' && outcome.reason.code)).toEqual([
        'OutcomeUnknown',
        'NotLeader',
        'NotLeader',
        'NotLeader',
        'NotLeader',
      ])
      await scripted.settle()
      // The entry was not replicated: it never happened.
      expect(await valueOf(group, 'a', 'x')).toBe(1)
      expect(await valueOf(group, 'b', 'x')).toBe(1)
    }))

  test('a command whose rows are on their way is planned by nobody', () =>
    withGroup(async (group, scripted) => {
      const command = group.store('a').execute(add('cold'))
      await group.node('a').process.clock.sleep(0)
      scripted.elect('b')
      expect(await failureOf(command)).toBe('NotLeader')
      await scripted.settle()
      expect(scripted.member('b').lastIndex).toBe(2)
    }))

  test('an entry that is committed all the same is answered from the ledger, whoever is asked', () =>
    withGroup(async (group, scripted) => {
      const first = group.store('a').execute(add('x', 3), { requestId: 'r' })
      await turn(group, 'a')
      scripted.replicate('b')
      scripted.elect('b')
      expect(await failureOf(first)).toBe('OutcomeUnknown')
      await scripted.settle()
      const again = await group.store('b').execute(add('x', 3), { requestId: 'r' })
      expect(again.value).toBe(3)
      scripted.elect('c')
      await scripted.settle()
      expect(await group.store('c').execute(add('x', 3), { requestId: 'r' })).toEqual(again)
      scripted.elect('a')
      await scripted.settle()
      expect(await group.store('a').execute(add('x', 3), { requestId: 'r' })).toEqual(again)
      expect(await valueOf(group, 'a', 'x')).toBe(3)
    }))

  test('an entry that is lost is done again, once', () =>
    withGroup(async (group, scripted) => {
      const first = group.store('a').execute(add('x', 3), { requestId: 'r' })
      await turn(group, 'a')
      scripted.elect('b')
      expect(await failureOf(first)).toBe('OutcomeUnknown')
      await scripted.settle()
      const again = group.store('b').execute(add('x', 3), { requestId: 'r' })
      await turn(group, 'b')
      await scripted.settle()
      expect((await again).value).toBe(3)
      scripted.elect('a')
      await scripted.settle()
      expect((await group.store('a').execute(add('x', 3), { requestId: 'r' })).value).toBe(3)
    }))

  test('the overlay goes with it: the next leadership plans over what is applied', () =>
    withGroup(async (group, scripted) => {
      await executed(group, scripted, add('x', 5))
      const lost = failureOf(group.store('a').execute(add('x', 100)))
      await turn(group, 'a')
      scripted.elect('b')
      await scripted.settle()
      expect(await lost).toBe('OutcomeUnknown')
      scripted.elect('a')
      await scripted.settle()
      await executed(group, scripted, add('x', 1))
      expect(await valueOf(group, 'a', 'x')).toBe(6)
    }))

  test('in the middle of a turn that fills several entries', () =>
    withGroup(
      async (group, scripted) => {
        const pads = Array.from({ length: 6 }, (_, i) =>
          group.store('a').execute({ kind: 'pad', name: `p${i}`, bytes: 3000 }, { requestId: `p${i}` }),
        )
        const settled = Promise.allSettled(pads)
        await turn(group, 'a')
        // Half of the entries reach the next leader.
        const { entries } = (scripted.member('a') as unknown as { disk: { entries: unknown[] } }).disk
        entries.splice(3)
        scripted.replicate('b')
        scripted.elect('b')
        await scripted.settle()
        expect((await settled).map((outcome) => outcome.status === 'rejected' && outcome.reason.code)).toEqual(
          pads.map(() => 'OutcomeUnknown'),
        )
        const again = pads.map((_, i) =>
          group.store('b').execute({ kind: 'pad', name: `p${i}`, bytes: 3000 }, { requestId: `p${i}` }),
        )
        await turn(group, 'b')
        await scripted.settle()
        const sequences = (await Promise.all(again)).map(({ sequence }) => sequence)
        expect(sequences).toEqual([...new Set(sequences)].toSorted((x, y) => x - y))
      },
      { maxEntryBytes: 4000 },
    ))
})

describe('who follows', () => {
  test('shows in its cache what others changed', () =>
    withGroup(async (group, scripted) => {
      await executed(group, scripted, add('x'), add('gone'))
      expect([await valueOf(group, 'b', 'x'), await valueOf(group, 'b', 'gone')]).toEqual([1, 1])
      await executed(group, scripted, add('x'), { kind: 'drop', name: 'gone' })
      expect([await valueOf(group, 'b', 'x'), await valueOf(group, 'b', 'gone')]).toEqual([2, undefined])
    }))

  test('a fetch that a change of another member overtakes does not leave the old value behind', async () => {
    const slow = new Set<string>()
    const stores: { group?: Group } = {}
    await withGroup(
      async (group, scripted) => {
        stores.group = group
        await executed(group, scripted, add('x'))
        await group.store('b').checkpoint()
        await group.restart('b', 'kill')
        await scripted.settle()
        slow.add('b')
        const old = group.store('b').get(counters, 'x')
        await executed(group, scripted, add('x'))
        await old
        expect(await valueOf(group, 'b', 'x')).toBe(2)
      },
      {},
      (id, kv) => ({
        ...whole(kv),
        getMany: async (keys) => {
          const values = await kv.getMany(keys)
          // Read, and a long time on its way.
          if (slow.has(id)) await stores.group?.simulation.clock.sleep(50)
          return values
        },
      }),
    )
  })

  test('reads what the leader had committed when it was asked', () =>
    withGroup(async (group, scripted) => {
      await executed(group, scripted, add('x'))
      const reply = group.store('a').execute(add('x'))
      await turn(group, 'a')
      scripted.replicate('b')
      await scripted.commit()
      await reply
      const seen: unknown[] = []
      const read = Promise.resolve(group.store('b').get(counters, 'x')).then((row) => seen.push(row?.value))
      const view = rowsOf(group, 'b')
      await turn(group, 'b')
      expect(seen).toEqual([])
      await scripted.commit('b')
      await read
      expect(seen).toEqual([2])
      expect(await view).toEqual(['x=2'])
    }))

  test('refuses to read when nobody leads', () =>
    withGroup(async (group, scripted) => {
      scripted.depose()
      expect(await failureOf(Promise.resolve(group.store('b').get(counters, 'x')))).toBe('NotLeader')
      expect(await failureOf(rowsOf(group, 'b'))).toBe('NotLeader')
    }))

  test('has the change stream, without entries that are no commands', () =>
    withGroup(async (group, scripted) => {
      const stop = new AbortController()
      const seen: number[] = []
      const ended = (async () => {
        for await (const patch of group.store('b').changes(1, stop.signal)) seen.push(patch.index)
      })()
      await executed(group, scripted, add('x'))
      scripted.elect('c')
      await scripted.settle()
      await executed(group, scripted, add('x'))
      await turn(group, 'b')
      expect(seen).toEqual([2, 4])
      stop.abort()
      await ended
    }))

  test.each(['kill', 'crash'] as const)('checkpoints, cuts its log, and starts from there after a %s', (how) =>
    withGroup(async (group, scripted) => {
      for (let i = 0; i < 5; i++) await executed(group, scripted, add('x'), add(`n${i}`))
      await group.store('b').checkpoint()
      const index = scripted.member('b').lastIndex
      expect(group.store('b').status()).toMatchObject({ checkpointIndex: index, firstLogIndex: index + 1 })
      await executed(group, scripted, add('x'))
      await group.restart('b', how)
      // It knows of nothing behind its checkpoint before the leader tells it.
      expect(group.store('b').status()).toMatchObject({ appliedIndex: index })
      await scripted.settle()
      expect(await valueOf(group, 'b', 'x')).toBe(6)
      expect(await rowsOf(group, 'b')).toHaveLength(6)
    }),
  )

  test.each(['kill', 'crash'] as const)('takes over after a %s with the answers of all that came before', (how) =>
    withGroup(async (group, scripted) => {
      const replies = []
      for (let i = 0; i < 4; i++) {
        const reply = group.store('a').execute(add('x'), { requestId: `r${i}` })
        await turn(group, 'a')
        await scripted.settle()
        replies.push(await reply)
        if (i === 1) await group.store('b').checkpoint()
      }
      await group.restart('b', how)
      scripted.elect('b')
      await scripted.settle()
      for (let i = 0; i < 4; i++) {
        expect(await group.store('b').execute(add('x'), { requestId: `r${i}` })).toEqual(replies[i])
      }
    }),
  )

  test('remembers the configuration, over a restart too', () =>
    withGroup(async (group, scripted) => {
      const configuration = { ...scripted.member('a').configuration, learners: ['d'] }
      scripted.member('a').configure(configuration)
      await scripted.settle()
      await group.store('b').checkpoint()
      await group.restart('b', 'crash')
      expect(scripted.member('b').configuration).toEqual(configuration)
      const row = await (await group.node('b').openKv('db')).get(configurationKey)
      const { index, payload } = decodeConfigurationRow(row!)
      expect([index, decodeConfiguration(payload)]).toEqual([2, configuration])
    }))

  test('takes no more than its memory holds while its rows find no space, and goes on when they do', async () => {
    let isFull = false
    await withGroup(
      async (group, scripted) => {
        const pad = async (name: string): Promise<void> => {
          const reply = group.store('a').execute({ kind: 'pad', name, bytes: 3000 })
          await turn(group, 'a')
          scripted.replicate('b', 'c')
          await scripted.commit('c')
          await reply
        }
        isFull = true
        const resumed: boolean[] = []
        for (let i = 0; i < 3; i++) await pad(`p${i}`)
        const room = scripted.member('b').applyUpTo(99)
        void room.then(() => resumed.push(true))
        await group.simulation.clock.sleep(5000)
        expect(resumed).toEqual([])
        // What is taken is shown all the same.
        expect(await group.store('b').get(padding, 'p2')).toHaveLength(3000)
        await pad('more')
        isFull = false
        await room
        await scripted.commit('b')
        expect(await group.store('b').read((view) => view.get(padding, 'more'))).toHaveLength(3000)
      },
      { maxUnflushedBytes: 3500 },
      (id, kv) => ({
        ...whole(kv),
        write: (batch) =>
          isFull && id === 'b' ? Promise.reject(new StoreError('OutOfSpace', 'full')) : kv.write(batch),
      }),
    )
  })

  test('closes while others go on', () =>
    withGroup(async (group, scripted) => {
      await executed(group, scripted, add('x'))
      await group.store('b').close()
      expect(scripted.member('b').isClosed).toBe(true)
      expect(await failureOf(group.store('b').execute(add('x')))).toBe('Closed')
      await executed(group, scripted, add('x'))
      expect(await valueOf(group, 'a', 'x')).toBe(2)
    }))
})
