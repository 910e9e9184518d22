/** One thing that an enemy does, and what must come of it. */

export interface Case {
  readonly name: string
  /** Rejects when the server did what it must not. A text that it resolves with is printed with the name. */
  readonly run: () => Promise<string | void>
}

export class Tally {
  passed = 0
  failed = 0

  /** One after the other. */
  async inOrder(group: string, cases: readonly Case[]): Promise<void> {
    for (const each of cases) await this.one(group, each)
  }

  /** For those that mostly wait. */
  async together(group: string, cases: readonly Case[]): Promise<void> {
    await Promise.all(cases.map((each) => this.one(group, each)))
  }

  /** A group whose stage could not be set has failed; the others go on. */
  async stage(group: string, run: () => Promise<void>): Promise<void> {
    try {
      await run()
    } catch (error) {
      this.fail(group, error)
    }
  }

  private fail(label: string, error: unknown): void {
    this.failed += 1
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error)
    process.stdout.write(`FAIL  ${label}\n${text.replaceAll(/^/gm, '      ')}\n`)
  }

  private async one(group: string, { name, run }: Case): Promise<void> {
    const started = performance.now()
    const label = `${group}: ${name}`
    try {
      const figure = await run()
      this.passed += 1
      const seconds = ((performance.now() - started) / 1000).toFixed(1)
      process.stdout.write(`ok    ${label} (${seconds} s${figure === undefined ? '' : `; ${figure}`})\n`)
    } catch (error) {
      this.fail(label, error)
    }
  }
}
