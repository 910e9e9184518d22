/** Answers that are there at once when the rows are cached, and promises otherwise. */

export type MaybePromise<T> = T | Promise<T>

/** Goes on without a turn of the microtask queue when the value is there. */
export function whenSettled<T, R>(value: MaybePromise<T>, goOn: (value: T) => MaybePromise<R>): MaybePromise<R> {
  return value instanceof Promise ? value.then(goOn) : goOn(value)
}
