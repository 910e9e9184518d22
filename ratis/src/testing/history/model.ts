import type { Outcome } from './operation.ts'

/** What one key does when operations come one after the other. States are never changed in place. */
export interface Model<State extends NonNullable<unknown>, Input, Output> {
  readonly init: State
  /**
   * The state after the operation; `undefined` if it cannot have had this outcome in this state. An open operation can
   * always have happened, in exactly one way: what it does may not depend on what it would have answered.
   */
  step(state: State, input: Input, outcome: Outcome<Output>): State | undefined
  /** The same text for the same state, and for no other. */
  identity(state: State): string
  /**
   * True promises that no state is changed by this operation with this outcome. That saves the search from trying it in
   * many places; false is always right.
   */
  isReadOnly(input: Input, outcome: Outcome<Output>): boolean
  /**
   * False promises that no way on from this state leads to this answer. For objects that remember everything: where many
   * orders lead to many states, the search need not go to the end of each. True is always right, and the default.
   */
  mayLeadTo?(state: State, input: Input, output: Output): boolean
  /** For reports: `write 3 → ok`. */
  describe(input: Input, outcome: Outcome<Output>): string
}

/** A model by example: what the operation does and answers. */
export interface SequentialObject<State extends NonNullable<unknown>, Input, Output> extends Pick<
  Model<State, Input, Output>,
  'mayLeadTo'
> {
  readonly init: State
  apply(state: State, input: Input): { readonly state: State; readonly output: Output }
  /** Default: JSON. */
  identity?(state: State): string
  /** Without an output: whatever it would be. Default: never. */
  isReadOnly?(input: Input, output?: Output): boolean
  /** Default: JSON. */
  describe?(input: Input): string
}

export interface SequentialModel<State extends NonNullable<unknown>, Input, Output>
  extends Model<State, Input, Output>, Pick<SequentialObject<State, Input, Output>, 'apply'> {}

/** The model of an object whose answer follows from its state. Outputs are compared as JSON. */
export function sequentialModel<State extends NonNullable<unknown>, Input, Output>(
  object: SequentialObject<State, Input, Output>,
): SequentialModel<State, Input, Output> {
  const { init, apply, identity, isReadOnly, mayLeadTo, describe } = object
  return {
    init,
    apply,
    step(state, input, outcome) {
      const { state: next, output } = apply(state, input)
      if (outcome.kind === 'open') return next
      return JSON.stringify(output) === JSON.stringify(outcome.output) ? next : undefined
    },
    identity: identity ?? ((state) => JSON.stringify(state)),
    isReadOnly: (input, outcome) =>
      isReadOnly?.(input, ...(outcome.kind === 'open' ? [] : ([outcome.output] as const))) ?? false,
    ...(mayLeadTo === undefined ? {} : { mayLeadTo }),
    describe: (input, outcome) => {
      const asked = describe?.(input) ?? JSON.stringify(input)
      return outcome.kind === 'open' ? `${asked} …` : `${asked} → ${plain(outcome.output)}`
    },
  }
}

function plain(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value)
}
