/** A checker found that a promise was broken. Thrown, so that nothing happens after it. */
export class SimViolation extends Error {
  readonly checker: string

  constructor(checker: string, reason: string) {
    super(reason)
    this.name = 'SimViolation'
    this.checker = checker
  }
}
