/** A suite is a list of steps of one client's session, run in order against one server. */

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Server } from './server.ts'

export interface Session {
  readonly server: Server
  /** A directory of this suite's own; removed afterwards. */
  readonly scratch: string
  /** 2,000 files of mixed sizes, shared by all suites and not to be changed. */
  readonly tree: string
}

export interface Step {
  readonly name: string
  readonly run: (session: Session) => Promise<void>
}

export interface Suite {
  readonly name: string
  readonly steps: readonly Step[]
  /** Always run at the end, also after a failure: unmounts, stray processes. */
  readonly cleanUp?: (session: Session) => Promise<void>
}

export interface SuiteResult {
  readonly passed: number
  readonly failed: number
}

/** A step builds on those before it: the first failure fails the rest of the suite. */
export async function runSuite(suite: Suite, server: Server, tree: string): Promise<SuiteResult> {
  const scratch = mkdtempSync(join(tmpdir(), `o3-${suite.name}-`))
  const session = { server, scratch, tree }
  let passed = 0
  try {
    for (const step of suite.steps) {
      const started = performance.now()
      try {
        await step.run(session)
      } catch (error) {
        const text = error instanceof Error ? (error.stack ?? error.message) : String(error)
        process.stdout.write(`FAIL  ${suite.name}: ${step.name}\n${text.replaceAll(/^/gm, '      ')}\n`)
        return { passed, failed: suite.steps.length - passed }
      }
      passed += 1
      const seconds = ((performance.now() - started) / 1000).toFixed(1)
      process.stdout.write(`ok    ${suite.name}: ${step.name} (${seconds} s)\n`)
    }
    return { passed, failed: 0 }
  } finally {
    await suite.cleanUp?.(session)
    rmSync(scratch, { recursive: true, force: true })
  }
}

/** Fails the step when `condition` is false. */
export function expect(condition: boolean, message: string): asserts condition {
  if (!condition) throw new Error(message)
}
