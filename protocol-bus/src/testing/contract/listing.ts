import { describe, expect, test } from 'vitest'
import type { O3Session } from '../../api/api.ts'
import { bucket, expectRefusal, listed, put, withBucket } from './fixture.ts'
import type { OpenedStore } from './fixture.ts'

export function listingContract(opened: () => OpenedStore): void {
  async function withKeys(...names: string[]): Promise<O3Session> {
    const session = await withBucket(opened().store)
    for (const name of names) await put(session, name, name)
    return session
  }

  test('keys come in the order of their UTF-8 bytes', async () => {
    const session = await withKeys('b', 'a0', 'a/c', 'a-b', 'a', 'A', 'a//', 'ü', '\uffff', '😀', 'a/', 'z')
    expect(await listed(session)).toEqual(['A', 'a', 'a-b', 'a/', 'a//', 'a/c', 'a0', 'b', 'z', 'ü', '\uffff', '😀'])
  })

  test('a page shows what a head shows, but for the parts', async () => {
    const session = await withKeys('k')
    const { items } = await session.keys.list(bucket, { limit: 1 })
    expect(items).toEqual([{ kind: 'key', key: (await session.keys.head({ ...bucket, key: 'k' })).info }])
  })

  describe('with prefix, delimiter and start', () => {
    const names = ['a', 'a/1', 'a/2', 'a/b/1', 'a/b/2', 'a//', 'b/1', 'c', 'a-1', 'a-2']
    test.each([
      [{}, ['a', 'a-1', 'a-2', 'a//', 'a/1', 'a/2', 'a/b/1', 'a/b/2', 'b/1', 'c']],
      [{ delimiter: '/' }, ['a', 'a-1', 'a-2', 'a/*', 'b/*', 'c']],
      [{ delimiter: '/', prefix: 'a/' }, ['a//*', 'a/1', 'a/2', 'a/b/*']],
      [{ delimiter: '/', prefix: 'a' }, ['a', 'a-1', 'a-2', 'a/*']],
      [{ delimiter: '-' }, ['a', 'a-*', 'a//', 'a/1', 'a/2', 'a/b/1', 'a/b/2', 'b/1', 'c']],
      [{ delimiter: 'b/' }, ['a', 'a-1', 'a-2', 'a//', 'a/1', 'a/2', 'a/b/*', 'b/*', 'c']],
      [{ prefix: 'a/b' }, ['a/b/1', 'a/b/2']],
      [{ prefix: 'none' }, []],
      [{ after: 'a/1' }, ['a/2', 'a/b/1', 'a/b/2', 'b/1', 'c']],
      [{ after: 'a/3' }, ['a/b/1', 'a/b/2', 'b/1', 'c']],
      [{ after: 'zzz' }, []],
      // A common prefix is skipped when it is not behind the start, though keys in it may be.
      [{ delimiter: '/', after: 'a/' }, ['b/*', 'c']],
      [{ delimiter: '/', after: 'a/1' }, ['b/*', 'c']],
      [{ delimiter: '/', after: 'a.' }, ['a/*', 'b/*', 'c']],
      [{ delimiter: '/', prefix: 'a/', after: 'a/2' }, ['a/b/*']],
      [{ limit: 3 }, ['a', 'a-1', 'a-2', '…']],
      [{ delimiter: '/', limit: 4 }, ['a', 'a-1', 'a-2', 'a/*', '…']],
      [{ delimiter: '/', limit: 6 }, ['a', 'a-1', 'a-2', 'a/*', 'b/*', 'c']],
      [{ limit: 0 }, []],
    ])('%j', async (options, expected) => {
      expect(await listed(await withKeys(...names), options)).toEqual(expected)
    })

    test.each([1, 2, 3])('in pages of %d, nothing is shown twice and nothing is left out', async (limit) => {
      const session = await withKeys(...names)
      for (const delimiter of ['', '/', '-']) {
        const whole = await session.keys.list(bucket, { delimiter, limit: 1000 })
        const shown: unknown[] = []
        let after = ''
        for (let more = true; more;) {
          const page = await session.keys.list(bucket, { delimiter, after, limit })
          expect(page.items.length).toBeLessThanOrEqual(limit)
          shown.push(...page.items)
          const last = page.items.at(-1)!
          after = last.kind === 'key' ? last.key.name : last.prefix
          more = page.truncated
        }
        expect(shown).toEqual(whole.items)
      }
    })
  })

  test('a bucket that is not there, and a limit that is no count', async () => {
    const session = await withKeys()
    await expectRefusal(session.keys.list({ ...bucket, bucket: 'none' }, { limit: 1 }), 'BucketNotFound')
    await expectRefusal(session.keys.list({ ...bucket, bucket: 'none' }, { limit: 0 }), 'BucketNotFound')
    await expectRefusal(session.keys.list(bucket, { limit: -1 }), 'InvalidArgument')
    await expectRefusal(session.keys.list(bucket, { limit: 1.5 }), 'InvalidArgument')
  })
}
