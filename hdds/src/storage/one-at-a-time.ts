/** Runs actions one after the other, in the order of the calls. One that fails does not stop the next. */
export class OneAtATime {
  private last: Promise<unknown> = Promise.resolve()

  run<T>(action: () => Promise<T>): Promise<T> {
    const begun = this.last.then(action)
    // The chain only gives the order; the failure belongs to the caller of this action.
    this.last = begun.then(ignore, ignore)
    return begun
  }
}

function ignore(): void {}
