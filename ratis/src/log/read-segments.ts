import type { Env } from '@o3/common/env'
import { isStoreError, type StoreError } from '@o3/common/errors'
import { damaged, foreign } from './damage.ts'
import { decodeSegmentHeader, firstRecordOffset, segmentNameIndex, type SegmentHeader } from './segment-header.ts'
import { Segment } from './segment.ts'

export interface FoundSegments {
  /** In the order of their first indexes. */
  readonly readable: readonly Segment[]
  /** Files whose headers cannot be read or do not fit their names. */
  readonly broken: readonly string[]
  /** Why the first of the broken ones is. */
  readonly error?: StoreError
}

/** Reads the headers of all segments. Throws `Incompatible` for those of another log than `groupId`, if it is known. */
export async function readSegments(env: Env, directory: string, groupId: string | undefined): Promise<FoundSegments> {
  const readable: Segment[] = []
  const broken: string[] = []
  const errors: StoreError[] = []
  for (const name of await env.disk.list(directory)) {
    const nameIndex = segmentNameIndex(name)
    if (nameIndex === undefined) continue
    const path = `${directory}/${name}`
    try {
      const header = await readHeader(env, path)
      if (groupId !== undefined && header.groupId !== groupId)
        throw foreign(path, `this segment belongs to log ${header.groupId}`)
      if (header.firstIndex !== nameIndex) throw damaged(path, 40, 'the first index is not the one in the name')
      readable.push(new Segment(directory, header))
    } catch (error) {
      if (!isStoreError(error, 'Damaged')) throw error
      broken.push(path)
      errors.push(error)
    }
  }
  const [error] = errors
  return { readable, broken, ...(error !== undefined && { error }) }
}

async function readHeader(env: Env, path: string): Promise<SegmentHeader> {
  const file = await env.disk.open(path, 'read')
  try {
    const bytes = new Uint8Array(firstRecordOffset)
    const length = await file.read(bytes, 0)
    return decodeSegmentHeader(bytes.subarray(0, length), path)
  } finally {
    await file.close()
  }
}
