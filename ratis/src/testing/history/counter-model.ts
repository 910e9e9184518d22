import { sequentialModel } from './model.ts'

export type CounterInput = { readonly kind: 'add'; readonly amount: number } | { readonly kind: 'read' }

/** A number to add to; an addition answers the sum. A retry that is applied twice shows at once. */
export const counterModel = sequentialModel<number, CounterInput, number>({
  init: 0,
  apply(state, input) {
    const sum = input.kind === 'add' ? state + input.amount : state
    return { state: sum, output: sum }
  },
  isReadOnly: ({ kind }) => kind === 'read',
  describe: (input) => (input.kind === 'add' ? `add ${input.amount}` : 'read'),
})
