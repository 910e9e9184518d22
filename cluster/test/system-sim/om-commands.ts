/** What clients ask of OM, in its own words. */

import type { SimRandom } from '@o3/common/env/sim'
import { isStoreError } from '@o3/common/errors'
import type { Content, Key, KeyAttributes, NewContent, OmCommand, OmReply } from '@o3/om/api'
import { blockName } from './model-datanode.ts'
import type { BucketInput, KeyInput, KeyOutput, TreeInput } from './models.ts'

export const volume = 'vol'
export const keysBucket = 'keys'
export const owner = 'ann'

const attributesOf = (etag: string): KeyAttributes => ({ etag, headers: {}, metadata: {}, tags: {} })

/** What changed nothing is remembered only for the life of the process that said so. */
export function isChange(command: OmCommand, reply: OmReply): boolean {
  if (command.kind === 'rename-key') return command.key !== command.to
  return reply.kind !== 'deleted' || reply.existed
}

export async function found(key: Key | Promise<Key>): Promise<Key | undefined> {
  try {
    return await key
  } catch (error) {
    if (isStoreError(error, 'KeyNotFound')) return undefined
    throw error
  }
}

export function commandOf(
  key: string,
  input: Exclude<KeyInput, { kind: 'get' }>,
  content: NewContent | undefined,
): OmCommand {
  const at = { volume, bucket: keysBucket, key }
  const { condition } = input
  const preconditions =
    condition === undefined
      ? {}
      : condition.kind === 'absent'
        ? { ifNoneMatch: '*' as const }
        : { ifMatch: [condition.etag] }
  if (input.kind === 'delete') return { kind: 'delete-key', ...at, preconditions }
  const given = content ?? { kind: 'inline', bytes: new Uint8Array(0) }
  return {
    kind: 'commit-key',
    ...at,
    owner,
    size: sizeOf(given),
    content: given,
    attributes: attributesOf(input.etag),
    preconditions,
  }
}

function sizeOf(content: NewContent): number {
  if (content.kind === 'inline') return content.bytes.length
  if (content.kind === 'copy') return content.range?.length ?? 0
  return content.kind === 'leased' ? content.extents.reduce((sum, { length }) => sum + length, 0) : 0
}

export const copyOf = ({ name, updateId, size }: Key): NewContent => ({
  kind: 'copy',
  source: { volume, bucket: keysBucket, key: name },
  sourceUpdateId: updateId,
  range: { offset: 0, length: size },
})

export const blocksOfNew = (content: NewContent | undefined): readonly string[] =>
  content?.kind === 'leased' ? content.extents.map(({ block }) => blockName(block)) : []

export const blocksOf = (content: Content): readonly string[] =>
  content.kind === 'blocks'
    ? content.segments.flatMap((segment) => (segment.kind === 'block' ? [blockName(segment.block)] : []))
    : []

export const keyOutputOf = (reply: OmReply): KeyOutput => (reply.kind === 'deleted' ? { existed: reply.existed } : 'ok')

const treeNames = ['a/1', 'a/2', 'a/3/x', 'b/1', 'b/2', 'c'] as const
const directories = ['a/', 'b/', 'd/'] as const

export function treeInput(random: SimRandom, newEtag: () => string): TreeInput {
  const any = <T>(choices: readonly T[]): T => choices[random.below(choices.length)] as T
  const dice = random.fraction()
  if (dice < 0.35) return { kind: 'put', name: any(treeNames), etag: newEtag() }
  if (dice < 0.5) return { kind: 'delete', name: any(treeNames) }
  if (dice < 0.6) return { kind: 'rename', from: any(treeNames), to: any(treeNames), replace: random.chance(0.5) }
  if (dice < 0.75) return { kind: 'rename', from: any(directories), to: any(directories), replace: false }
  return { kind: 'list', prefix: any(['', 'a/', 'b']), after: any(['', '', 'a/1', 'b/1']), most: any([2, 100]) }
}

export function treeCommandOf(
  at: { readonly volume: string; readonly bucket: string },
  input: Exclude<TreeInput, { kind: 'list' }>,
): OmCommand {
  switch (input.kind) {
    case 'put':
      return {
        kind: 'commit-key',
        ...at,
        key: input.name,
        owner,
        size: 2,
        content: { kind: 'inline', bytes: new Uint8Array(2) },
        attributes: attributesOf(input.etag),
        preconditions: {},
      }
    case 'delete':
      return { kind: 'delete-key', ...at, key: input.name, preconditions: {} }
    case 'rename':
      return { kind: 'rename-key', ...at, key: input.from, to: input.to, replace: input.replace }
  }
}

export function bucketCommandOf(bucket: string, { kind }: BucketInput): OmCommand {
  if (kind === 'delete') return { kind: 'delete-bucket', volume, bucket }
  return { kind: 'create-bucket', volume, bucket, owner, quota: {}, replication: 'RATIS/ONE' }
}
