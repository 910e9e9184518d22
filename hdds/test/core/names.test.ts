import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  formatContainerName,
  formatCopyName,
  formatQuarantinedName,
  newestGenerations,
  parseContainerName,
  parseCopyName,
  parseQuarantinedName,
} from '../../src/core/container-name.ts'
import { checkOwner, decodeIdentity, encodeIdentity, recordSeed } from '../../src/core/disk-identity.ts'
import {
  allGenerations,
  blockKey,
  blockKeyPrefix,
  blockRange,
  containerOfKey,
  fileOfBlockKey,
  localOfKey,
  rowsOfFile,
} from '../../src/core/index-keys.ts'
import { crc32c } from '../../src/storage/checksum.ts'

describe('container file names', () => {
  test.each([
    ['17.1.cnt', { container: 17, generation: 1 }],
    ['9007199254740991.4294967295.cnt', { container: Number.MAX_SAFE_INTEGER, generation: 0xffff_ffff }],
    ['9007199254740992.1.cnt', undefined],
    ['1.4294967296.cnt', undefined],
    ['0.1.cnt', undefined],
    ['1.0.cnt', undefined],
    ['01.1.cnt', undefined],
    ['1.1.unfinished', undefined],
    ['1.cnt', undefined],
    ['VERSION', undefined],
  ])('%s', (text, name) => {
    expect(parseContainerName(text)).toEqual(name)
    if (name !== undefined) expect(formatContainerName(name)).toBe(text)
  })

  test.each([
    ['17.2.copy', { container: 17, generation: 2 }],
    ['17.2.cnt', undefined],
    ['17.0.copy', undefined],
    ['x.copy', undefined],
  ])('of a copy: %s', (text, name) => {
    expect(parseCopyName(text)).toEqual(name)
    if (name !== undefined) expect(formatCopyName(name)).toBe(text)
  })

  test.each([
    ['17.2.1790000000000.cnt', { container: 17, generation: 2, sinceMs: 1_790_000_000_000 }],
    ['17.2.cnt', undefined],
    ['17.0.5.cnt', undefined],
  ])('in quarantine: %s', (text, name) => {
    expect(parseQuarantinedName(text)).toEqual(name)
    if (name !== undefined) expect(formatQuarantinedName(name)).toBe(text)
  })

  test('the highest generation counts', () => {
    expect(newestGenerations(['1.2.cnt', '1.10.cnt', '1.9.cnt', '2.1.cnt', '3.1.unfinished', 'x'])).toEqual({
      newest: [
        { container: 1, generation: 10 },
        { container: 2, generation: 1 },
      ],
      older: [
        { container: 1, generation: 2 },
        { container: 1, generation: 9 },
      ],
      unknown: ['3.1.unfinished', 'x'],
    })
  })
})

describe('the identity of a disk', () => {
  const identity = { layoutVersion: 1, diskUuid: 'u-1', clusterId: 'c-1', datanodeId: 'd-1' }

  test('is text for people', () => {
    const text = '{\n  "layoutVersion": 1,\n  "diskUuid": "u-1",\n  "clusterId": "c-1",\n  "datanodeId": "d-1"\n}\n'
    expect(encodeIdentity(identity)).toBe(text)
    expect(decodeIdentity(text, '/d')).toEqual(identity)
  })

  test.each([
    ['', 'Damaged', 'is not readable'],
    ['[]', 'Incompatible', 'has disk layout undefined'],
    ['null', 'Damaged', 'is not readable'],
    ['{"layoutVersion":2}', 'Incompatible', 'has disk layout 2; this version knows 1'],
    ['{"layoutVersion":1,"diskUuid":"u"}', 'Damaged', 'is incomplete'],
    ['{"layoutVersion":1,"diskUuid":"u","clusterId":"","datanodeId":"d"}', 'Damaged', 'is incomplete'],
  ])('%s is refused', (text, code, reason) => {
    expect(decodeIdentity(text, '/d')).toMatchObject({
      kind: 'refusal',
      code,
      message: expect.stringContaining(reason),
    })
  })

  test.each([
    [{ clusterId: 'c-1', datanodeId: 'd-1' }, undefined],
    [{ clusterId: 'c-2', datanodeId: 'd-1' }, '/d belongs to cluster c-1, not to c-2'],
    [{ clusterId: 'c-1', datanodeId: 'd-2' }, '/d belongs to datanode d-1, not to d-2'],
  ])('for owner %j', (owner, message) => {
    expect(checkOwner(identity, owner, '/d')?.message).toBe(message)
  })

  test('no two files start their checksums alike', () => {
    const seeds = new Set([
      recordSeed('u-1', { container: 1, generation: 1 }, crc32c),
      recordSeed('u-1', { container: 1, generation: 2 }, crc32c),
      recordSeed('u-1', { container: 2, generation: 1 }, crc32c),
      recordSeed('u-2', { container: 1, generation: 1 }, crc32c),
      recordSeed('u-1', { container: 11, generation: 1 }, crc32c),
      recordSeed('u-1', { container: 1, generation: 11 }, crc32c),
    ])
    expect(seeds.size).toBe(6)
  })
})

describe('index keys', () => {
  const containers = fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER })
  const generations = fc.integer({ min: 1, max: 0xffff_ffff })
  const locals = fc.integer({ min: 0, max: 0xffff_ffff })

  test('sort by container, generation, local id, and can be read back', () => {
    fc.assert(
      fc.property(fc.tuple(containers, generations, locals), fc.tuple(containers, generations, locals), (a, b) => {
        const [left, right] = [a, b].map(([c, g, l]) => blockKey(blockKeyPrefix(c, g), l)) as [string, string]
        const order = a[0] - b[0] || a[1] - b[1] || a[2] - b[2]
        expect(Math.sign(left < right ? -1 : left > right ? 1 : 0)).toBe(Math.sign(order))
        expect(fileOfBlockKey(left)).toEqual({ container: a[0], generation: a[1] })
        expect(localOfKey(left)).toBe(a[2])
        expect(containerOfKey(left)).toBe(a[0])
      }),
    )
  })

  test('ranges hold the keys of their container and generation, and no others', () => {
    const inside = (key: string, range: { readonly from: string; readonly to: string }): boolean =>
      key >= range.from && key < range.to
    fc.assert(
      fc.property(fc.tuple(containers, generations), locals, fc.tuple(containers, generations), ([c, g], l, other) => {
        const [otherC, otherG] = other
        const key = blockKey(blockKeyPrefix(c, g), l)
        expect(inside(key, blockRange(blockKeyPrefix(otherC, otherG)))).toBe(c === otherC && g === otherG)
        expect(inside(key, allGenerations(otherC))).toBe(c === otherC)
        const rows = rowsOfFile({ container: otherC, generation: otherG })
        expect(inside(key, rows)).toBe(c === otherC && g === otherG)
      }),
    )
  })
})
