/** The `o3` command. The launcher (`bin/o3.mjs`) has seen to it that the runtime is fit. */

import { StoreError } from '@o3/common/errors'
import { CommanderError } from 'commander'
import { exitCodeOf, exitCodes } from './command-line.ts'
import { hintOf, sentenceOf } from './hints.ts'
import { makeProgram } from './program.ts'

// Whoever reads our output may leave early, as `head` does: then there is nobody to tell.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error
  process.exit(0)
})

try {
  const program = await makeProgram(process.env, process.argv[2])
  await program.parseAsync(process.argv)
} catch (error) {
  if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? 0 : exitCodes.usage
  else fail(error)
}

function fail(error: unknown): void {
  // A StoreError is written for the person who reads it; anything else is a bug, and its stack helps to find it.
  const text = error instanceof StoreError ? sentenceOf(error) : error instanceof Error ? error.stack : String(error)
  const hint = error instanceof StoreError ? hintOf(error) : undefined
  process.stderr.write(`o3: ${text}\n${hint === undefined ? '' : `try: ${hint}\n`}`)
  process.exitCode = exitCodeOf(error)
}
