import { sequentialModel } from './model.ts'

export type ListInput = { readonly kind: 'append'; readonly value: number } | { readonly kind: 'read' }

export type ListOutput = 'ok' | readonly number[]

/**
 * A list to append to, read as a whole. A read tells everything that happened before it and in which order, so histories
 * of it are checked quickly and their violations are easy to read.
 */
export const listModel = sequentialModel<readonly number[], ListInput, ListOutput>({
  init: [],
  apply(state, input) {
    if (input.kind === 'read') return { state, output: state }
    return { state: [...state, input.value], output: 'ok' }
  },
  isReadOnly: ({ kind }) => kind === 'read',
  mayLeadTo: (state, _, output) => output === 'ok' || state.every((value, at) => value === output[at]),
  describe: (input) => (input.kind === 'append' ? `append ${input.value}` : 'read'),
})
