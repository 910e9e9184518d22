/** `o3 sh`: volumes, buckets and keys from a shell, over the native protocol. */

import type { Command } from 'commander'
import type { Environment } from '../command-line.ts'
import { addBucket } from '../shell/bucket.ts'
import { addKey } from '../shell/key.ts'
import { addVolume } from '../shell/volume.ts'

export function addShell(program: Command, env: Environment): void {
  const shell = program.command('sh').description('volumes, buckets and keys of a running O3')
  addVolume(shell, env)
  addBucket(shell, env)
  addKey(shell, env)
}
