/** A program that runs itself again where the machine looks different. */

import { spawn } from 'node:child_process'

/** `under` is the command that runs the rest of its line, e.g. in a namespace. Resolves with the exit code. */
export async function runAgain(under: readonly string[], args: readonly string[]): Promise<number> {
  const [command = '', ...before] = under
  const line = [...before, process.execPath, ...process.execArgv, process.argv[1] ?? '', ...args]
  const child = spawn(command, line, { stdio: 'inherit' })
  const pass = (signal: NodeJS.Signals): void => void child.kill(signal)
  process.on('SIGINT', pass).on('SIGTERM', pass)
  try {
    return await new Promise((resolve, reject) => {
      child.once('error', reject)
      child.once('close', (code) => resolve(code ?? 1))
    })
  } finally {
    process.off('SIGINT', pass).off('SIGTERM', pass)
  }
}
