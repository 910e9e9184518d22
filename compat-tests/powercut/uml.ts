/** User-Mode Linux as this machine can run it. */

import { join } from 'node:path'
import { run } from '../harness/command.ts'

/** Makes in `directory` what its processes need in their environment. Needs a C compiler (`cc`). */
export async function umlEnvironment(directory: string): Promise<Readonly<Record<string, string>>> {
  const library = join(directory, 'wide-registers.so')
  const source = join(import.meta.dirname, 'wide-registers.c')
  await run('cc', ['-shared', '-fPIC', '-O1', '-Wall', '-Werror', '-o', library, source])
  return { TMPDIR: '/dev/shm', LD_PRELOAD: library }
}

/** Rejects with why no guest can be started here. */
export async function tryGuest(directory: string): Promise<void> {
  const env = await umlEnvironment(directory)
  const root = ['rootfstype=hostfs', 'ro', 'init=/bin/true', 'con=null', 'con0=fd:0,fd:1']
  // A kernel whose first program has ended has nothing left to run: it panics, and says what that program returned.
  const command = 'timeout --signal=KILL 60 linux.uml "$@" 2>&1 || true'
  const said = await run('sh', ['-c', command, 'sh', 'mem=64M', `uml_dir=${directory}`, ...root], { env })
  const end = /exitcode=0x[0-9a-f]+/.exec(said)?.[0]
  if (end !== 'exitcode=0x00000000')
    throw new Error(`the first program of a guest is killed: ${end ?? said.slice(-500)}`)
}
