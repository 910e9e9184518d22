/** What clients of OM may be told, one object at a time. */

import { sequentialModel } from '@o3/ratis/testing'

/** Each put of a history has an ETag of its own. */
export type Condition = { readonly kind: 'absent' } | { readonly kind: 'etag'; readonly etag: string }

export type KeyInput =
  | { readonly kind: 'put'; readonly etag: string; readonly condition?: Condition }
  | { readonly kind: 'delete'; readonly condition?: Condition }
  | { readonly kind: 'get' }

export type KeyOutput =
  | { readonly etag: string | null }
  | { readonly existed: boolean }
  | 'ok'
  | 'PreconditionFailed'
  | 'KeyNotFound'

export const keyModel = sequentialModel<{ readonly etag: string | null }, KeyInput, KeyOutput>({
  init: { etag: null },
  apply(state, input) {
    if (input.kind === 'get') return { state, output: state }
    const refusal = judge(input.condition, state.etag)
    if (refusal !== undefined) return { state, output: refusal }
    if (input.kind === 'put') return { state: { etag: input.etag }, output: 'ok' }
    return { state: { etag: null }, output: { existed: state.etag !== null } }
  },
  identity: ({ etag }) => String(etag),
  isReadOnly: ({ kind }, output) => kind === 'get' || output === 'PreconditionFailed' || output === 'KeyNotFound',
  describe: (input) => describeKeyInput(input),
})

function describeKeyInput(input: KeyInput): string {
  if (input.kind === 'get') return 'get'
  const what = input.kind === 'put' ? `put ${input.etag}` : 'delete'
  if (input.condition === undefined) return what
  return input.condition.kind === 'absent' ? `${what} if absent` : `${what} if ${input.condition.etag}`
}

function judge(
  condition: Condition | undefined,
  etag: string | null,
): 'PreconditionFailed' | 'KeyNotFound' | undefined {
  if (condition === undefined) return undefined
  if (condition.kind === 'absent') return etag === null ? undefined : 'PreconditionFailed'
  if (etag === null) return 'KeyNotFound'
  return etag === condition.etag ? undefined : 'PreconditionFailed'
}

export type TreeInput =
  | { readonly kind: 'put'; readonly name: string; readonly etag: string }
  | { readonly kind: 'delete'; readonly name: string }
  /** Of a key, or, with a `/` at the end of both, of a directory. */
  | { readonly kind: 'rename'; readonly from: string; readonly to: string; readonly replace: boolean }
  | { readonly kind: 'list'; readonly prefix: string; readonly after: string; readonly most: number }

export type TreeOutput =
  | 'ok'
  | 'KeyNotFound'
  | 'KeyAlreadyExists'
  | 'DirectoryNotEmpty'
  | { readonly existed: boolean }
  | { readonly names: readonly string[]; readonly isTruncated: boolean }

type Tree = Readonly<Record<string, string>>

/** A small bucket as one object: its listings and renames are moments of all its names. Names are ASCII. */
export const treeModel = sequentialModel<Tree, TreeInput, TreeOutput>({
  init: {},
  apply(state, input): { readonly state: Tree; readonly output: TreeOutput } {
    switch (input.kind) {
      case 'put':
        return { state: { ...state, [input.name]: input.etag }, output: 'ok' }
      case 'delete': {
        const { [input.name]: found, ...others } = state
        return { state: others, output: { existed: found !== undefined } }
      }
      case 'rename':
        return input.from.endsWith('/') ? renameDirectory(state, input) : renameKey(state, input)
      case 'list': {
        const found = Object.keys(state).filter((name) => name.startsWith(input.prefix) && name > input.after)
        const names = found.toSorted()
        return { state, output: { names: names.slice(0, input.most), isTruncated: names.length > input.most } }
      }
    }
  },
  identity: (state) => JSON.stringify(Object.entries(state).toSorted(([a], [b]) => (a < b ? -1 : 1))),
  isReadOnly: ({ kind }, output) => kind === 'list' || (typeof output === 'string' && output !== 'ok'),
  describe: (input) => Object.values(input).join(' '),
})

type Rename = Extract<TreeInput, { readonly kind: 'rename' }>

function renameKey(state: Tree, { from, to, replace }: Rename): { readonly state: Tree; readonly output: TreeOutput } {
  const { [from]: etag, ...others } = state
  if (etag === undefined) return { state, output: 'KeyNotFound' }
  if (from === to) return { state, output: 'ok' }
  if (state[to] !== undefined && !replace) return { state, output: 'KeyAlreadyExists' }
  return { state: { ...others, [to]: etag }, output: 'ok' }
}

function renameDirectory(state: Tree, { from, to }: Rename): { readonly state: Tree; readonly output: TreeOutput } {
  const names = Object.keys(state)
  if (!names.some((name) => name.startsWith(from))) return { state, output: 'KeyNotFound' }
  if (from === to) return { state, output: 'ok' }
  if (names.some((name) => name.startsWith(to))) return { state, output: 'DirectoryNotEmpty' }
  const moved = Object.entries(state).map(([name, etag]) => {
    return [name.startsWith(from) ? to + name.slice(from.length) : name, etag] as const
  })
  return { state: Object.fromEntries(moved), output: 'ok' }
}

export type BucketInput = { readonly kind: 'create' } | { readonly kind: 'delete' } | { readonly kind: 'get' }
export type BucketOutput = 'ok' | 'BucketAlreadyExists' | 'BucketNotFound'

/** A bucket that comes and goes, with nothing in it. */
export const bucketModel = sequentialModel<{ readonly exists: boolean }, BucketInput, BucketOutput>({
  init: { exists: false },
  apply(state, { kind }) {
    if (kind === 'create') {
      return state.exists ? { state, output: 'BucketAlreadyExists' } : { state: { exists: true }, output: 'ok' }
    }
    if (!state.exists) return { state, output: 'BucketNotFound' }
    return { state: { exists: kind === 'get' }, output: 'ok' }
  },
  isReadOnly: ({ kind }, output) => kind === 'get' || (output !== undefined && output !== 'ok'),
  describe: ({ kind }) => kind,
})
