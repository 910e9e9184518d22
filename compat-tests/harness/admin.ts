/** What `o3 admin` says of a cluster, as a program reads it. */

import { run } from './command.ts'
import { launcher } from './server.ts'

/** The lines that it answers. `data` is the cluster's directory. Rejects as `run`. */
export async function adminOf<T>(data: string, ...args: readonly string[]): Promise<readonly T[]> {
  return (await run(process.execPath, [launcher, 'admin', ...args, '--json', '--data', data]))
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as T)
}
