import fc from 'fast-check'
import { expect, test } from 'vitest'
import { SparseBytes, pageBytes } from '../../src/env/sim/sparse-bytes.ts'

const largest = 5 * pageBytes
/** Around the edges of pages, and anywhere. */
const place = fc.oneof(
  fc.nat(largest),
  fc
    .record({ page: fc.nat(5), by: fc.integer({ min: -1, max: 1 }) })
    .map(({ page, by }) => Math.max(0, page * pageBytes + by)),
)
const which = fc.nat(2)
const action = fc.oneof(
  fc.record({
    kind: fc.constant('write' as const),
    which,
    offset: place,
    length: place,
    fill: fc.integer({ min: 1, max: 255 }),
  }),
  fc.record({ kind: fc.constant('resize' as const), which, length: place }),
  fc.record({ kind: fc.constant('clone' as const), which, to: which }),
)

test('what is written to one of several clones is in no other', () => {
  fc.assert(
    fc.property(fc.array(action, { maxLength: 40 }), (actions) => {
      const images = [0, 1, 2].map(() => ({ sparse: new SparseBytes(), plain: new Uint8Array(0) }))
      for (const each of actions) {
        const image = images[each.which] ?? expect.unreachable()
        if (each.kind === 'clone') images[each.to] = { sparse: image.sparse.clone(), plain: image.plain.slice() }
        else if (each.kind === 'resize') {
          image.sparse.resize(each.length)
          image.plain = sized(image.plain, each.length)
        } else {
          const bytes = new Uint8Array(each.length).fill(each.fill)
          image.sparse.write(bytes, each.offset)
          const end = bytes.length === 0 ? 0 : each.offset + bytes.length
          image.plain = sized(image.plain, Math.max(image.plain.length, end))
          image.plain.set(bytes, bytes.length === 0 ? 0 : each.offset)
        }
        for (const { sparse, plain } of images) {
          expect(Buffer.compare(sparse.slice(0, sparse.length), plain)).toBe(0)
        }
      }
    }),
  )
})

function sized(bytes: Uint8Array, length: number): Uint8Array<ArrayBuffer> {
  const copy = new Uint8Array(length)
  copy.set(bytes.subarray(0, length))
  return copy
}
