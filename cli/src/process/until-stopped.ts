/** From ready to the end: what ends a process that serves, and how. */

import type { StopFailure } from '@o3/common/lifecycle'

export interface Serving {
  /** Settles when something failed that it cannot go on without. */
  readonly failed: Promise<Error>
  stop(): Promise<readonly StopFailure[]>
}

export interface StopOptions {
  /** As it is called in what is said of it. */
  readonly name: string
  /** Settles with the reason when somebody else asks for an end. */
  readonly asked?: Promise<string>
  readonly say: (text: string) => void
}

/**
 * The first signal drains and stops; a second one ends the process at once, which is safe: nothing unsynced was
 * acknowledged. Resolves with the exit code.
 */
export async function untilStopped(serving: Serving, { name, asked, say }: StopOptions): Promise<number> {
  const reason = await new Promise<string>((resolve) => {
    const again = (signal: NodeJS.Signals): void => {
      say(`\n${signal} again: stopping at once.\n`)
      // oxlint-disable-next-line unicorn/no-process-exit -- somebody who asks twice wants no more promises
      process.exit(1)
    }
    const first = (signal: NodeJS.Signals): void => {
      for (const each of ['SIGINT', 'SIGTERM'] as const) process.removeAllListeners(each).on(each, again)
      resolve(signal)
    }
    process.once('SIGINT', first).once('SIGTERM', first)
    void serving.failed.then((error) => resolve(`failure: ${error.message}`))
    void asked?.then(resolve)
  })
  say(`\n${reason}: finishing what is under way.\n`)
  const failures = await serving.stop()
  for (const failure of failures) {
    process.stderr.write(`o3: ${failure.name} did not stop cleanly: ${String(failure.error)}\n`)
  }
  const clean = failures.length === 0 && !reason.startsWith('failure')
  say(clean ? `${name} has stopped.\n` : `${name} has stopped, not cleanly; the next start checks and repairs.\n`)
  return clean ? 0 : 1
}

export function toTerminal(text: string): void {
  process.stdout.write(text)
}
