/** A promise that was broken: which checker says so, and what it saw. */
export class SystemViolation extends Error {
  readonly checker: string

  constructor(checker: string, message: string) {
    super(message)
    this.name = 'SystemViolation'
    this.checker = checker
  }
}

/** Ends the run with a violation. It returns: what it is called from may be in the middle of production code. */
export type Accuse = (checker: string, message: string) => void
