import type { Operation } from './operation.ts'

/** The operations of each key, in the order in which they are given. */
export function byKey<Input, Output>(
  operations: readonly Operation<Input, Output>[],
): ReadonlyMap<string, readonly Operation<Input, Output>[]> {
  const keys = new Map<string, Operation<Input, Output>[]>()
  for (const operation of operations) {
    const others = keys.get(operation.key)
    if (others === undefined) keys.set(operation.key, [operation])
    else others.push(operation)
  }
  return keys
}
