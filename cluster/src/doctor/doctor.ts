/**
 * The offline check of a data directory: what a start would find, and more. It holds the directory's lock and changes
 * nothing in it; what can only be opened by writing is opened on a copy (`scratch.ts`). Each part is checked as far as it
 * can be read, and says so where it ends.
 */

import { join, resolve } from 'node:path'
import type { Env } from '@o3/common/env'
import { StoreError, isStoreError } from '@o3/common/errors'
import { openLevelKv } from '@o3/common/kv/level'
import { nullLogger } from '@o3/common/logger'
import { checkDisk } from '@o3/hdds/module'
import { OmService, defaultOmConfig, omRules, referencedBlocks } from '@o3/om/module'
import type { ReferencedBlocks } from '@o3/om/module'
import type { ReplicatedStore, StoreRules } from '@o3/ratis/api'
import { scmRules } from '@o3/scm/module'
import type { ScmBlockProtocol, ScmSecretKeyProtocol } from '@o3/scm/api'
import { checkIdentity } from '../data-directory.ts'
import type { NodeConfig } from '../node-config.ts'
import { openStore } from '../stores.ts'
import { BlockCensus } from './block-census.ts'
import { Scratch } from './scratch.ts'

export interface Finding {
  /** `problem`: somebody should act. `note`: good to know. `skipped`: could not be checked. */
  readonly kind: 'problem' | 'note' | 'skipped'
  readonly component: 'directory' | 'om' | 'scm' | 'disk'
  readonly message: string
  readonly path?: string
  readonly offset?: number
}

export interface Examination {
  readonly directory: string
  readonly findings: readonly Finding[]
  /** What was looked at, in numbers. */
  readonly checked: Readonly<Record<string, number>>
}

/** `Busy` while a node runs on the directory; `Incompatible` for one that is not O3's. What is wrong inside is a finding. */
export async function examine(env: Env, data: NodeConfig['data']): Promise<Examination> {
  const directory = resolve(data.directory)
  if ((await env.disk.stat(`${directory}/VERSION`)) === undefined) {
    throw new StoreError('Incompatible', `${directory} is no data directory: it has no VERSION`)
  }
  const lock = await takeLock(env, directory)
  const scratch = await Scratch.make()
  try {
    const disks = data.disks.length > 0 ? data.disks : [join(directory, 'disk')]
    return await new Doctor({ env, directory, scratch, disks: disks.map((disk) => resolve(disk)) }).run()
  } finally {
    await scratch.remove()
    await lock.release()
  }
}

async function takeLock(env: Env, directory: string): Promise<{ release(): Promise<void> }> {
  try {
    return await env.disk.lock(`${directory}/lock`)
  } catch (cause) {
    if (!isStoreError(cause, 'Busy')) throw cause
    const { details } = cause
    throw new StoreError('Busy', `a node runs on ${directory}${'pid' in details ? ` (pid ${details['pid']})` : ''}`, {
      details: { ...details, try: 'stop it first: a directory in use cannot be checked' },
      cause,
    })
  }
}

interface DoctorParts {
  readonly env: Env
  readonly directory: string
  readonly scratch: Scratch
  readonly disks: readonly string[]
}

const mebi = 1024 ** 2

class Doctor {
  private readonly parts: DoctorParts
  private readonly findings: Finding[] = []
  private readonly checked: Record<string, number> = {}

  constructor(parts: DoctorParts) {
    this.parts = parts
  }

  async run(): Promise<Examination> {
    const { env, directory, disks } = this.parts
    await this.attempt('directory', () => checkIdentity(env, directory))
    await this.withStore('scm', scmRules, () => Promise.resolve())
    let referenced: ReferencedBlocks | undefined
    await this.withStore('om', omRules, async (store) => {
      await this.auditNames(store)
      referenced = await store.read(referencedBlocks)
    })
    const census = new BlockCensus()
    for (const disk of disks) await this.attempt('disk', () => this.checkDisk(disk, census))
    this.compareBlocks(referenced, census)
    return { directory, findings: this.findings, checked: this.checked }
  }

  /** Opens a store on a copy: that verifies every record of its log, and replays them. */
  private async withStore<Command, Reply>(
    component: 'om' | 'scm',
    rules: StoreRules<Command, Reply>,
    use: (store: ReplicatedStore<Command, Reply>) => Promise<void>,
  ): Promise<void> {
    const { env, directory, scratch } = this.parts
    const original = `${directory}/${component}`
    await this.attempt(component, async () => {
      if ((await env.disk.stat(original)) === undefined) return this.skip(component, 'it was never started')
      const opened = await openStore({
        env,
        directory: await scratch.copyOf(original),
        rules,
        log: nullLogger,
        cacheBytes: 16 * mebi,
        checkpointBytes: 256 * mebi,
        segmentBytes: 32 * mebi,
        observe: (event) => {
          if (event.kind !== 'opened') return
          this.checked[`${component} entries replayed`] = event.replayedEntries
          if (event.cutBytes > 0) {
            const message = `its log ends in ${event.cutBytes} bytes that a crash left; the next start cuts them`
            this.findings.push({ kind: 'note', component, path: `${original}/log`, message })
          }
        },
      })
      try {
        this.checked[`${component} log bytes`] = opened.store.status().logBytes
        await use(opened.store)
      } finally {
        await opened.close()
      }
    })
  }

  private async auditNames(store: ConstructorParameters<typeof OmService>[0]['store']): Promise<void> {
    const { clock } = this.parts.env
    const om = new OmService({ store, scm: noScm, clock, config: defaultOmConfig, log: nullLogger })
    for (const message of await om.audit()) this.findings.push({ kind: 'problem', component: 'om', message })
  }

  private async checkDisk(path: string, census: BlockCensus): Promise<void> {
    const { env, scratch } = this.parts
    const openKv = async (index: string) => openLevelKv(await scratch.copyOf(index), { cacheBytes: 8 * mebi })
    const hasIndex = (await env.disk.stat(`${path}/index`)) !== undefined
    if ((await env.disk.stat(path)) === undefined) {
      this.findings.push({ kind: 'problem', component: 'disk', path, message: 'the disk is not there' })
      return
    }
    const check = await checkDisk({ env, onBlock: (block) => census.add(block), ...(hasIndex ? { openKv } : {}) }, path)
    for (const { path: file, fileOffset, message } of check.problems) {
      const offset = fileOffset === undefined ? {} : { offset: fileOffset }
      this.findings.push({ kind: 'problem', component: 'disk', path: file, ...offset, message })
    }
    if (check.identity !== undefined && !check.indexChecked) this.skip('disk', 'it has no index; a start makes it anew')
    this.count('containers', check.containers.length)
    this.count(
      'block bytes',
      check.containers.reduce((sum, { liveBytes }) => sum + liveBytes, 0),
    )
  }

  private compareBlocks(referenced: ReferencedBlocks | undefined, census: BlockCensus): void {
    this.count('blocks', census.size)
    if (referenced === undefined) return this.skip('disk', 'what keys need of it is not known without om')
    const { missing, tooShort, orphans, needed } = census.compare(referenced)
    this.count('blocks in use', needed)
    for (const { container, local } of missing) {
      const message = `block ${container}/${local} of a key is on no disk`
      this.findings.push({ kind: 'problem', component: 'disk', message })
    }
    for (const { block, lengthBytes, neededBytes } of tooShort) {
      const message = `block ${block.container}/${block.local} has ${lengthBytes} bytes; a key needs ${neededBytes}`
      this.findings.push({ kind: 'problem', component: 'disk', message })
    }
    if (orphans === 0) return
    const message = `${orphans} blocks are no key's: they wait for their deletion, or for the end of a lease`
    this.findings.push({ kind: 'note', component: 'disk', message })
  }

  /** What a part refuses becomes a finding, and the next part is checked. */
  private async attempt(component: Finding['component'], check: () => Promise<void>): Promise<void> {
    try {
      await check()
    } catch (thrown) {
      if (!isStoreError(thrown)) throw thrown
      const { message, details } = this.parts.scratch.asOriginal(thrown)
      const { path, offset } = details
      this.findings.push({
        kind: 'problem',
        component,
        message,
        ...(typeof path === 'string' ? { path } : {}),
        ...(typeof offset === 'number' ? { offset } : {}),
      })
      if (component === 'om') this.skip('om', 'counters and references are not checked without its log')
    }
  }

  private skip(component: Finding['component'], message: string): void {
    this.findings.push({ kind: 'skipped', component, message })
  }

  private count(name: string, more: number): void {
    this.checked[name] = (this.checked[name] ?? 0) + more
  }
}

/** An audit asks for no blocks. */
const noScm: ScmBlockProtocol & ScmSecretKeyProtocol = {
  secretKeys: () => Promise.reject(new StoreError('Unavailable', 'there is no SCM in an examination')),
  allocateBlocks: () => Promise.reject(new StoreError('Unavailable', 'there is no SCM in an examination')),
  deleteBlocks: () => Promise.reject(new StoreError('Unavailable', 'there is no SCM in an examination')),
}
