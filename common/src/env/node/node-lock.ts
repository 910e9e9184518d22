/**
 * The lock file of a data directory. Node offers no `flock`, so the file names its holder, and a lock whose holder is
 * dead is taken over. Three races decide the shape:
 *
 * - *Two start at once.* The file appears complete, by `link` of a finished temporary file: one link wins, and nobody
 *   reads half a holder.
 * - *A pid comes back as somebody else.* A holder is pid, process start time, boot id and pid namespace together.
 * - *Two find the same dead holder.* A removes the dead file and makes its own; B, who decided a moment before, would
 *   remove A's. So whoever replaces the lock of dead holder `n` first takes the lock `<path>.<n>` (by these same
 *   rules, so a death in here is survived too), looks again, and replaces the file only if it is still `n`'s.
 *
 * A holder that cannot be seen from here (other pid namespace, or other host on a shared file system) counts as alive;
 * the error says which file to remove. The exception is the same host name: a container that was restarted.
 */

import fs from 'node:fs'
import { randomUUID } from 'node:crypto'
import { hostname } from 'node:os'
import { StoreError } from '../../errors.ts'
import { nodeDiskError } from './node-file.ts'

/** Who holds a lock. Empty strings where the platform has no such fact. */
export interface LockHolder {
  readonly version: 1
  /** Makes each taking unique. */
  readonly nonce: string
  readonly pid: number
  /** Clock ticks after boot at which the process started (proc(5), stat field 22). */
  readonly startTicks: string
  readonly bootId: string
  readonly pidNamespace: string
  readonly host: string
}

export type HolderState = 'alive' | 'dead' | 'elsewhere'

/** Whether `holder` still lives, as far as `self` can tell; `startTicksOf` is undefined for a pid that does not run. */
export function judgeHolder(
  holder: LockHolder,
  self: LockHolder,
  startTicksOf: (pid: number) => string | undefined,
): HolderState {
  const sameWorld = holder.bootId === self.bootId && holder.pidNamespace === self.pidNamespace
  if (!sameWorld) return holder.host === self.host ? 'dead' : 'elsewhere'
  const startTicks = startTicksOf(holder.pid)
  return startTicks !== undefined && startTicks === holder.startTicks ? 'alive' : 'dead'
}

/** Takes the lock file at `path`; `Busy` with `details.pid` while its holder lives, `Damaged` when the file is not ours. */
export async function takeLock(path: string): Promise<{ release(): Promise<void> }> {
  const self = describeSelf()
  await acquire(path, self)
  let released = false
  return {
    release: async () => {
      if (released) return
      released = true
      await attempt('unlock', path, () => fs.promises.unlink(path))
    },
  }
}

async function acquire(path: string, self: LockHolder): Promise<void> {
  for (;;) {
    const temporary = `${path}.${self.nonce}.new`
    await attempt('lock', path, () => writeHolder(temporary, self))
    try {
      if (await placed(() => fs.promises.link(temporary, path))) return
      const holder = await readHolder(path)
      if (holder === undefined) continue // released in this moment
      refuseUnlessDead(path, holder, self)
      if (await replaceDead({ path, temporary, holder, self })) return
    } catch (error) {
      throw error instanceof StoreError ? error : nodeDiskError('lock', path, error)
    } finally {
      await fs.promises.rm(temporary, { force: true })
    }
  }
}

interface Replacement {
  readonly path: string
  readonly temporary: string
  readonly holder: LockHolder
  readonly self: LockHolder
}

/** False when somebody else was faster. */
async function replaceDead({ path, temporary, holder, self }: Replacement): Promise<boolean> {
  const guard = `${path}.${holder.nonce}`
  await acquire(guard, { ...self, nonce: randomUUID() })
  try {
    const current = await readHolder(path)
    if (current?.nonce !== holder.nonce) return false
    await fs.promises.rename(temporary, path)
    return true
  } finally {
    await fs.promises.unlink(guard)
  }
}

function refuseUnlessDead(path: string, holder: LockHolder, self: LockHolder): void {
  const state = judgeHolder(holder, self, startTicksOf)
  if (state === 'dead') return
  const who = `process ${holder.pid}${state === 'elsewhere' ? ` of host ${holder.host}` : ''}`
  const advice = state === 'elsewhere' ? `; if that process is gone, remove ${path}` : ''
  throw new StoreError('Busy', `${path} is held by ${who}${advice}`, {
    details: { pid: holder.pid, host: holder.host, path },
  })
}

/** Bytes before name: a power cut leaves a complete lock file or none. */
async function writeHolder(path: string, holder: LockHolder): Promise<void> {
  const file = await fs.promises.open(path, 'w', 0o600)
  try {
    await file.writeFile(JSON.stringify(holder))
    await file.datasync()
  } finally {
    await file.close()
  }
}

async function readHolder(path: string): Promise<LockHolder | undefined> {
  let text: string
  try {
    text = await fs.promises.readFile(path, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
  const holder = parseHolder(text)
  if (holder === undefined) {
    throw new StoreError('Damaged', `${path} is not a lock file; remove it if no process uses its directory`, {
      details: { path },
    })
  }
  return holder
}

function parseHolder(text: string): LockHolder | undefined {
  let parsed: Partial<LockHolder> | null
  try {
    parsed = JSON.parse(text) as Partial<LockHolder> | null
  } catch {
    return undefined // the caller reports it
  }
  if (parsed?.version !== 1 || typeof parsed.pid !== 'number') return undefined
  const texts = [parsed.nonce, parsed.startTicks, parsed.bootId, parsed.pidNamespace, parsed.host]
  return texts.every((value) => typeof value === 'string') ? (parsed as LockHolder) : undefined
}

/** False when `path` exists already. */
async function placed(link: () => Promise<void>): Promise<boolean> {
  try {
    await link()
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw error
  }
}

async function attempt(operation: string, path: string, action: () => Promise<void>): Promise<void> {
  try {
    await action()
  } catch (error) {
    throw nodeDiskError(operation, path, error)
  }
}

function describeSelf(): LockHolder {
  return {
    version: 1,
    nonce: randomUUID(),
    pid: process.pid,
    startTicks: startTicksOf(process.pid) ?? '',
    bootId: factOf(() => fs.readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()),
    pidNamespace: factOf(() => fs.readlinkSync('/proc/self/ns/pid')),
    host: hostname(),
  }
}

/** The start time of a running process, '' where the platform does not tell; undefined when there is no such process. */
function startTicksOf(pid: number): string | undefined {
  try {
    process.kill(pid, 0)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return undefined
    // EPERM: it runs, as another user.
  }
  // The command name, second field, may hold blanks and parentheses: count from the last one.
  const stat = factOf(() => fs.readFileSync(`/proc/${pid}/stat`, 'utf8'))
  return stat === '' ? '' : (stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? '')
}

function factOf(read: () => string): string {
  try {
    return read()
  } catch {
    return '' // not Linux, or a hidden /proc
  }
}
