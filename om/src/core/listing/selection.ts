/**
 * What a listing shows, decided name by name as a walk meets them, in byte order. Names are binary strings. The walk
 * visits only names that start with the prefix; this says what becomes of each, and where to go on.
 */

import type { BinaryKey } from '@o3/common/kv'

export interface Selection {
  readonly prefix: BinaryKey
  /** Empty: none. */
  readonly delimiter: BinaryKey
  /** Names and common prefixes strictly after this one. */
  readonly after: BinaryKey
}

export type Verdict =
  /** List the key. */
  | { readonly kind: 'take' }
  /** Look into the directory. */
  | { readonly kind: 'descend' }
  /** Nothing of it is listed. */
  | { readonly kind: 'pass' }
  /** List the common prefix, once; go on behind everything that starts with it. */
  | { readonly kind: 'group'; readonly prefix: BinaryKey }
  /** As `group`, but the common prefix is not after the marker and is not listed. */
  | { readonly kind: 'skip'; readonly prefix: BinaryKey }

const take: Verdict = { kind: 'take' }
const descend: Verdict = { kind: 'descend' }
const pass: Verdict = { kind: 'pass' }

/** Where the walk begins: at the first name that is not before this one. */
export function startOf({ prefix, after }: Selection): BinaryKey {
  return after > prefix ? after : prefix
}

export function judgeKey(selection: Selection, name: BinaryKey): Verdict {
  return judgeGroup(selection, name) ?? (name > selection.after ? take : pass)
}

/**
 * `path` ends in its slash and starts with the prefix. A directory proves that there is a key below it, so where its
 * own path holds the delimiter the common prefix is known without looking inside.
 */
export function judgeDirectory(selection: Selection, path: BinaryKey): Verdict {
  const { after } = selection
  // Keys below are all after the marker, or all before it, unless the marker lies below itself.
  return judgeGroup(selection, path) ?? (path > after || after.startsWith(path) ? descend : pass)
}

function judgeGroup({ prefix, delimiter, after }: Selection, name: BinaryKey): Verdict | undefined {
  if (delimiter === '') return undefined
  const at = name.indexOf(delimiter, prefix.length)
  if (at === -1) return undefined
  const common = name.slice(0, at + delimiter.length)
  return { kind: common > after ? 'group' : 'skip', prefix: common }
}

/** The least name that is after everything that starts with `prefix`, which is not empty. No UTF-8 ends in 0xff. */
export function behind(prefix: BinaryKey): BinaryKey {
  return prefix.slice(0, -1) + String.fromCharCode(prefix.charCodeAt(prefix.length - 1) + 1)
}
