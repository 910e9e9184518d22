import { sequentialModel } from './model.ts'

/** A condition on what is there: `absent` is S3's `If-None-Match: *`, `etag` its `If-Match`. */
export type KeyCondition = { readonly kind: 'absent' } | { readonly kind: 'etag'; readonly etag: string }

/** The content that a write makes is named by its ETag, so each write of a history should have one of its own. */
export type ConditionalKeyInput =
  | { readonly kind: 'put'; readonly etag: string; readonly condition?: KeyCondition }
  | { readonly kind: 'get' }
  | { readonly kind: 'delete'; readonly condition?: KeyCondition }

/** A get answers the ETag; `null`: no such key. */
export type ConditionalKeyOutput = 'ok' | 'precondition-failed' | 'no-such-key' | { readonly etag: string | null }

/**
 * A key of S3 with conditional writes. Where `If-Match` meets no key the answer is `no-such-key` (404, not 412), and a
 * delete without a condition is `ok` whether there was a key or not.
 */
export const conditionalKeyModel = sequentialModel<
  { readonly etag: string | null },
  ConditionalKeyInput,
  ConditionalKeyOutput
>({
  init: { etag: null },
  apply(state, input) {
    if (input.kind === 'get') return { state, output: state }
    const refusal = judge(input.condition, state.etag)
    if (refusal !== undefined) return { state, output: refusal }
    return { state: { etag: input.kind === 'put' ? input.etag : null }, output: 'ok' }
  },
  identity: ({ etag }) => String(etag),
  isReadOnly: ({ kind }, output) => kind === 'get' || output === 'precondition-failed' || output === 'no-such-key',
  describe(input) {
    if (input.kind === 'get') return 'get'
    const what = input.kind === 'put' ? `put ${input.etag}` : 'delete'
    if (input.condition === undefined) return what
    return input.condition.kind === 'absent' ? `${what} if absent` : `${what} if ${input.condition.etag}`
  },
})

function judge(
  condition: KeyCondition | undefined,
  etag: string | null,
): 'precondition-failed' | 'no-such-key' | undefined {
  if (condition === undefined) return undefined
  if (condition.kind === 'absent') return etag === null ? undefined : 'precondition-failed'
  if (etag === null) return 'no-such-key'
  return etag === condition.etag ? undefined : 'precondition-failed'
}
