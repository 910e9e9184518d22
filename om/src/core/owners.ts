/** How many volumes and buckets each owner has: a user is not deleted before that is none. */

import type { Draft } from './draft.ts'
import { owners } from './rows/user.ts'

export function addOwned(draft: Draft, owner: string): void {
  draft.put(owners, owner, (draft.get(owners, owner) ?? 0) + 1)
}

export function removeOwned(draft: Draft, owner: string): void {
  const owned = draft.get(owners, owner) ?? 0
  if (owned > 1) draft.put(owners, owner, owned - 1)
  else draft.remove(owners, owner)
}

export function moveOwned(draft: Draft, from: string, to: string): void {
  if (from === to) return
  removeOwned(draft, from)
  addOwned(draft, to)
}
