/**
 * Planted bugs: an environment whose disk quietly breaks one promise, the way code does that forgets a sync or swaps two
 * steps. The product code has no switch for it; a suite proves its worth by finding each.
 */

import type { Disk, DiskFile, Env, OpenMode } from '@o3/common/env'

/** What becomes of one call. */
export type Plant =
  | 'keep'
  /** It resolves and did nothing. */
  | 'skip'
  /** It resolves at once and does its work behind the caller's back. */
  | 'early'
  /** Of a write: it resolves at once and reaches the file only after the file's next sync. */
  | 'after-sync'

export interface PlantedCall {
  readonly operation: 'sync' | 'write' | 'truncate' | 'syncDirectory' | 'rename' | 'remove'
  /** As the caller wrote it; for a file, the name it was opened by. */
  readonly path: string
  /** 1 for the first call of this operation on this path. */
  readonly nth: number
  /** The crash site passed last: says what the caller is about. */
  readonly site: string
}

/** Decides the fate of each call. One `Planting` may serve all the processes of a machine: it keeps the counts. */
export class Planting {
  private readonly choose: (call: PlantedCall) => Plant
  private readonly counts = new Map<string, number>()
  /** Told by the environment. */
  site = ''
  /** How often a call was not kept: a plant that never struck proves nothing. */
  strikes = 0

  constructor(choose: (call: PlantedCall) => Plant) {
    this.choose = choose
  }

  fate(operation: PlantedCall['operation'], path: string): Plant {
    const key = `${operation} ${path}`
    const nth = (this.counts.get(key) ?? 0) + 1
    this.counts.set(key, nth)
    const fate = this.choose({ operation, path, nth, site: this.site })
    if (fate !== 'keep') this.strikes++
    return fate
  }

  /** Runs `act` as the call's fate wants. */
  async perform(operation: PlantedCall['operation'], path: string, act: () => Promise<void>): Promise<void> {
    const fate = this.fate(operation, path)
    if (fate === 'skip') return
    const done = act()
    if (fate === 'keep') return done
    // Behind the caller's back: nobody hears of a failure either, which is the bug.
    done.catch(() => undefined)
  }
}

export function plantedEnv(env: Env, planting: Planting): Env {
  const { clock, random, tasks, network } = env
  const at = (site: string): void => {
    planting.site = site
    env.at(site)
  }
  return { clock, random, tasks, network, at, disk: new PlantedDisk(env.disk, planting) }
}

class PlantedDisk implements Disk {
  private readonly disk: Disk
  private readonly planting: Planting

  constructor(disk: Disk, planting: Planting) {
    this.disk = disk
    this.planting = planting
  }

  async open(path: string, mode: OpenMode): Promise<DiskFile> {
    return new PlantedFile(await this.disk.open(path, mode), this.planting)
  }

  stat(path: string): ReturnType<Disk['stat']> {
    return this.disk.stat(path)
  }

  list(directory: string): Promise<readonly string[]> {
    return this.disk.list(directory)
  }

  makeDirectory(path: string): Promise<void> {
    return this.disk.makeDirectory(path)
  }

  rename(from: string, to: string): Promise<void> {
    return this.planting.perform('rename', from, () => this.disk.rename(from, to))
  }

  remove(path: string): Promise<void> {
    return this.planting.perform('remove', path, () => this.disk.remove(path))
  }

  syncDirectory(path: string): Promise<void> {
    return this.planting.perform('syncDirectory', path, () => this.disk.syncDirectory(path))
  }

  space(path: string): ReturnType<Disk['space']> {
    return this.disk.space(path)
  }

  lock(path: string): ReturnType<Disk['lock']> {
    return this.disk.lock(path)
  }
}

class PlantedFile implements DiskFile {
  readonly path: string
  private readonly file: DiskFile
  private readonly planting: Planting
  private held: (() => Promise<void>)[] = []

  constructor(file: DiskFile, planting: Planting) {
    this.path = file.path
    this.file = file
    this.planting = planting
  }

  read(target: Uint8Array, offset: number): Promise<number> {
    return this.file.read(target, offset)
  }

  readNow(target: Uint8Array, offset: number): number {
    return this.file.readNow(target, offset)
  }

  async write(pieces: readonly Uint8Array[], offset: number): Promise<void> {
    const copies = pieces.map((piece) => piece.slice())
    const fate = this.planting.fate('write', this.path)
    if (fate === 'skip') return
    if (fate === 'after-sync') this.held.push(() => this.file.write(copies, offset))
    else await this.file.write(pieces, offset)
  }

  async sync(): Promise<void> {
    await this.planting.perform('sync', this.path, () => this.file.sync())
    for (const write of this.held.splice(0)) await write()
  }

  truncate(sizeBytes: number): Promise<void> {
    return this.planting.perform('truncate', this.path, () => this.file.truncate(sizeBytes))
  }

  size(): Promise<number> {
    return this.file.size()
  }

  close(): Promise<void> {
    return this.file.close()
  }
}
