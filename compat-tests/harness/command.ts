/** Runs a client as a person would, with a deadline, and says everything it printed when it fails. */

import { spawn } from 'node:child_process'

export interface CommandOptions {
  readonly env?: Readonly<Record<string, string>>
  readonly cwd?: string
  readonly input?: string
  readonly timeoutMs?: number
  /** The exit code that is expected. Default 0. */
  readonly code?: number
}

/** Resolves with the standard output. Rejects when the exit code is another one, or after the deadline (default 5 min). */
export async function run(command: string, args: readonly string[], options: CommandOptions = {}): Promise<string> {
  const { env = {}, cwd, input, timeoutMs = 300_000, code: wanted = 0 } = options
  const child = spawn(command, args, {
    env: { ...process.env, ...env },
    ...(cwd === undefined ? {} : { cwd }),
    stdio: ['pipe', 'pipe', 'pipe'],
    timeout: timeoutMs,
    killSignal: 'SIGKILL',
  })
  let stdout = ''
  let stderr = ''
  child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()))
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()))
  child.stdin.end(input)
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject)
    child.once('close', resolve)
  })
  if (code !== wanted) {
    const line = [command, ...args].join(' ')
    throw new Error(`${line}\nended with ${code ?? 'a signal'}, not ${wanted}\n${stdout}${stderr}`.slice(0, 4000))
  }
  return stdout
}
