/**
 * Runs in the guest, beside the cluster, and shows that the instrument works: it writes numbers down and says each aloud.
 * One file is synced before the number is said: nothing of it may be missing after a cut. The other one is not: if nothing
 * of it is ever missing, the cuts were none.
 */

import { closeSync, fdatasyncSync, openSync, readFileSync, writeSync } from 'node:fs'
import { join } from 'node:path'

const everyMs = 250
const [directory = ''] = process.argv.slice(2)

for (const kind of ['synced', 'unsynced'] as const) {
  const path = join(directory, `witness-${kind}`)
  // Made by the first life, and durable when its first number is.
  const file = openSync(path, 'a+')
  const found = readFileSync(path, 'latin1').split('\n').slice(0, -1).map(Number)
  let next = Math.max(0, ...found.filter((number) => Number.isSafeInteger(number)))
  process.stdout.write(`witness ${kind} found ${next}\n`)
  const timer = setInterval(() => {
    next += 1
    writeSync(file, `${next}\n`)
    if (kind === 'synced') fdatasyncSync(file)
    process.stdout.write(`witness ${kind} wrote ${next}\n`)
  }, everyMs)
  process.once('exit', () => {
    clearInterval(timer)
    closeSync(file)
  })
}
