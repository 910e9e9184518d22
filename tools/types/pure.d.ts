/**
 * What the pure folders may name beyond the language itself: the vocabulary of cancellation, which a contract passes on
 * and a pure function never creates. Only tsconfig.pure.json sees this file; elsewhere Node's own types stand.
 */

interface AbortSignal {
  readonly aborted: boolean
  readonly reason: unknown
  throwIfAborted(): void
}
