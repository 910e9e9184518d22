import { sequentialModel } from './model.ts'

export type RegisterInput =
  | { readonly kind: 'read' }
  | { readonly kind: 'write'; readonly value: number }
  | { readonly kind: 'compare-and-swap'; readonly from: number | null; readonly to: number }
  | { readonly kind: 'delete' }

/** A read answers the value; `null`: there is none. The others: whether they did what they were asked. */
export type RegisterOutput = { readonly value: number | null } | 'ok' | 'refused'

/** One value that can be read, written, swapped and deleted. A delete of nothing is `refused`. */
export const registerModel = sequentialModel<{ readonly value: number | null }, RegisterInput, RegisterOutput>({
  init: { value: null },
  apply(state, input) {
    switch (input.kind) {
      case 'read':
        return { state, output: state }
      case 'write':
        return { state: { value: input.value }, output: 'ok' }
      case 'compare-and-swap':
        return state.value === input.from ? { state: { value: input.to }, output: 'ok' } : { state, output: 'refused' }
      case 'delete':
        return state.value === null ? { state, output: 'refused' } : { state: { value: null }, output: 'ok' }
    }
  },
  identity: ({ value }) => String(value),
  isReadOnly: ({ kind }, output) => kind === 'read' || output === 'refused',
  describe(input) {
    switch (input.kind) {
      case 'write':
        return `write ${input.value}`
      case 'compare-and-swap':
        return `swap ${input.from} for ${input.to}`
      case 'read':
      case 'delete':
        return input.kind
    }
  },
})
