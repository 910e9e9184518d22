import { sequentialModel } from './model.ts'

export type KeySpaceInput =
  | { readonly kind: 'put'; readonly name: string; readonly etag: string }
  | { readonly kind: 'delete'; readonly name: string }
  | { readonly kind: 'get'; readonly name: string }
  /** A page: names with the prefix and behind `after`, in order, no more than `most`. */
  | { readonly kind: 'list'; readonly prefix?: string; readonly after?: string; readonly most?: number }

export type KeySpaceOutput =
  | 'ok'
  | { readonly etag: string | null }
  | { readonly names: readonly string[]; readonly isTruncated: boolean }

/**
 * A small bucket as one object: a page of a listing is one moment of all its names. The key of the operations is the
 * bucket. For some ten names and some hundred operations; beyond, the search has too much to choose from. Names are ordered
 * by UTF-16 code units, which is S3's order as long as they are ASCII.
 */
export const keySpaceModel = sequentialModel<Readonly<Record<string, string>>, KeySpaceInput, KeySpaceOutput>({
  init: {},
  apply(state, input) {
    switch (input.kind) {
      case 'put':
        return { state: { ...state, [input.name]: input.etag }, output: 'ok' }
      case 'delete': {
        const { [input.name]: _, ...others } = state
        return { state: others, output: 'ok' }
      }
      case 'get':
        return { state, output: { etag: state[input.name] ?? null } }
      case 'list':
        return { state, output: list(Object.keys(state), input) }
    }
  },
  identity: (state) => JSON.stringify(Object.entries(state).sort(([a], [b]) => (a < b ? -1 : 1))),
  isReadOnly: ({ kind }) => kind === 'get' || kind === 'list',
  describe(input) {
    switch (input.kind) {
      case 'put':
        return `put ${input.name} ${input.etag}`
      case 'delete':
      case 'get':
        return `${input.kind} ${input.name}`
      case 'list':
        return `list ${input.prefix ?? ''}* after ${JSON.stringify(input.after ?? '')}`
    }
  },
})

function list(
  names: readonly string[],
  page: { readonly prefix?: string; readonly after?: string; readonly most?: number },
): KeySpaceOutput {
  const { prefix = '', after = '', most = Infinity } = page
  const found = names.filter((name) => name.startsWith(prefix) && name > after).sort()
  return { names: found.slice(0, most), isTruncated: found.length > most }
}
