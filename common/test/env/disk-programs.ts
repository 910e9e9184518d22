import fc from 'fast-check'
import type { DiskStep } from './disk-model.ts'

const paths = fc.constantFrom('a', 'b', 'd', 'd/a', 'd/b', 'd/e', 'd/e/a', 'a/x', 'c/d/e')
const directories = fc.constantFrom('', 'd', 'd/e', 'a')
const files = fc.nat({ max: 4 })
const offsets = fc.oneof(fc.nat({ max: 40 }), fc.constantFrom(510, 512, 1000, 4090, 4096, 5000))
const piece = fc.oneof(fc.uint8Array({ maxLength: 20 }), fc.uint8Array({ minLength: 600, maxLength: 700, size: 'max' }))

function step<K extends DiskStep['kind'], F extends object>(
  kind: K,
  fields: { [P in keyof F]: fc.Arbitrary<F[P]> },
): fc.Arbitrary<F & { readonly kind: K }> {
  return fc.record({ kind: fc.constant(kind), ...fields }) as unknown as fc.Arbitrary<F & { readonly kind: K }>
}

/** Steps that meet each other: few paths, few open files, offsets around the edges of sectors and pages. */
const steps: fc.Arbitrary<DiskStep> = fc.oneof(
  {
    weight: 5,
    arbitrary: step('open', { path: paths, mode: fc.constantFrom('create', 'create', 'read-write', 'read') }),
  },
  {
    weight: 5,
    arbitrary: step('write', { file: files, offset: offsets, pieces: fc.array(piece, { maxLength: 3 }) }),
  },
  { weight: 3, arbitrary: step('read', { file: files, offset: offsets, length: fc.nat({ max: 900 }) }) },
  { weight: 2, arbitrary: step('truncate', { file: files, sizeBytes: offsets }) },
  { weight: 1, arbitrary: step('size', { file: files }) },
  { weight: 1, arbitrary: step('sync', { file: files }) },
  { weight: 1, arbitrary: step('close', { file: files }) },
  { weight: 2, arbitrary: step('stat', { path: paths }) },
  { weight: 2, arbitrary: step('list', { path: directories }) },
  { weight: 3, arbitrary: step('makeDirectory', { path: paths }) },
  { weight: 3, arbitrary: step('remove', { path: paths }) },
  { weight: 2, arbitrary: step('syncDirectory', { path: directories }) },
  { weight: 4, arbitrary: step('rename', { from: paths, to: paths }) },
)

/** Programs that begin with something to work on. */
export const diskPrograms: fc.Arbitrary<DiskStep[]> = fc
  .array(steps, { minLength: 1, maxLength: 30 })
  .map((program) => [{ kind: 'makeDirectory', path: 'd/e' }, { kind: 'open', path: 'b', mode: 'create' }, ...program])
