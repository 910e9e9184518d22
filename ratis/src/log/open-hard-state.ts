import type { Env } from '@o3/common/env'
import { isStoreError, StoreError } from '@o3/common/errors'
import { hardStateName, HardStateFile, unknownIndex, type HardState } from './hard-state.ts'
import { isKeptAside, keepAside } from './keep-aside.ts'
import { readSegments } from './read-segments.ts'
import { guessEnds } from './segment-chain.ts'

export interface HardStateOptions {
  readonly groupId: string | undefined
  readonly onDamage: 'refuse' | 'repair'
  readonly expectExisting: boolean
}

export interface OpenedHardState {
  readonly file: HardStateFile
  readonly created: boolean
  /** The state that was there is lost; the new one may not vote. */
  readonly loss?: StoreError
}

/** Opens the hard state, or makes it for a new log; or for one that lost it, when damage is to be repaired. */
export async function openHardState(env: Env, directory: string, options: HardStateOptions): Promise<OpenedHardState> {
  const found = await openFound(env, directory)
  if (found instanceof HardStateFile) return { file: found, created: false }
  const loss = found ?? (await missing(env, directory, options))
  if (loss === undefined) {
    return { file: await HardStateFile.create(env, directory, newState(env, options.groupId)), created: true }
  }
  if (options.onDamage === 'refuse') throw loss
  return { file: await recreate(env, directory, options.groupId), created: true, loss }
}

async function openFound(env: Env, directory: string): Promise<HardStateFile | StoreError | undefined> {
  try {
    return await HardStateFile.open(env, directory)
  } catch (error) {
    if (isStoreError(error, 'Damaged')) return error
    throw error
  }
}

/** A directory that has files of a log but no hard state lost it: it is not a new log. */
async function missing(
  env: Env,
  directory: string,
  { onDamage, expectExisting }: HardStateOptions,
): Promise<StoreError | undefined> {
  const path = `${directory}/${hardStateName}`
  const names = await env.disk.list(directory)
  const isOfLog = (name: string): boolean =>
    name.endsWith('.segment') ||
    (onDamage === 'repair' && (isKeptAside(name) || name === 'spare' || name === 'retired'))
  const stray = names.find(isOfLog)
  if (stray !== undefined) {
    return new StoreError('Damaged', `${path} is missing beside ${stray}`, { details: { path, offset: 0 } })
  }
  if (!expectExisting) return undefined
  return new StoreError('Damaged', `${directory} is blank, though there was a log`, { details: { path, offset: 0 } })
}

/**
 * A hard state for what is left. How far the log went, what this member voted and what was committed are gone with the old
 * one: it may not vote until it has caught up with a leader.
 */
async function recreate(env: Env, directory: string, groupId: string | undefined): Promise<HardStateFile> {
  const { disk } = env
  const { readable } = await readSegments(env, directory, groupId)
  const path = `${directory}/${hardStateName}`
  // What is kept aside tells the next start that this is no new log.
  if ((await disk.stat(path)) !== undefined) await keepAside(env, directory, [path])
  return HardStateFile.create(env, directory, {
    ...newState(env, groupId ?? readable[0]?.groupId),
    ...guessEnds(readable),
    term: Math.max(0, ...readable.map(({ previousTerm }) => previousTerm)),
    mayVote: false,
    catchUpIndex: unknownIndex,
  })
}

function newState(env: Env, groupId: string | undefined): HardState {
  return {
    groupId: groupId ?? Buffer.from(env.random.bytes(16)).toString('hex'),
    term: 0,
    vote: '',
    mayVote: true,
    catchUpIndex: 0,
    commitFloor: 0,
    checkpointIndex: 0,
    firstIndex: 1,
    lastSequence: 0,
    lastFirstIndex: 0,
  }
}
