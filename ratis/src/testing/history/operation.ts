/**
 * What a client knows of the end of its operation. `at` is on the same scale as `call`. *Open* is also what was lost: it
 * may have happened, may still happen at any later moment, or never will.
 */
export type Outcome<Output> =
  | { readonly kind: 'answered'; readonly at: number; readonly output: Output }
  | { readonly kind: 'open' }

/**
 * Where the store says that an operation stands in its log: *at* an index that it wrote, or, when it changed nothing,
 * *after* the entry with the index that was the last one it saw.
 */
export interface Place {
  readonly kind: 'at' | 'after'
  readonly index: number
}

/** One call of one client, with what it asked of which key and what it was told. Inputs and outputs are JSON values. */
export interface Operation<Input, Output> {
  readonly client: string
  /** Operations on different keys have nothing to do with each other: each key is checked on its own. */
  readonly key: string
  readonly input: Input
  /** When the call began. Numbers say no more than an order; equal ones are taken as concurrent. */
  readonly call: number
  readonly outcome: Outcome<Output>
  readonly place?: Place
}

/** What the checks take: a `History`, or one that was read from a file. */
export interface Recorded<Input, Output> {
  readonly operations: readonly Operation<Input, Output>[]
}
