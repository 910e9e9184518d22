import { refuse } from '@o3/common/errors'
import type { Refusal } from '@o3/common/errors'
import type { OmReply } from '../../api/api.ts'
import type { Draft } from '../draft.ts'
import { maxAccessKeysPerUser, maxSealedSecretBytes } from '../limits.ts'
import { checkAccessKeyId } from '../names.ts'
import { accessKeys, users } from '../rows/user.ts'
import { userNotFound } from '../user.ts'
import type { CommandOf } from './handler.ts'

/**
 * `InvalidName`, `TooLarge` (secret), `UserNotFound`, `KeyAlreadyExists` when an access key has this id,
 * `TooManyEntries`.
 */
export function createAccessKey(draft: Draft, command: CommandOf<'create-access-key'>): OmReply | Refusal {
  const { id, user, sealedSecret } = command
  const refusal = checkAccessKeyId(id)
  if (refusal !== undefined) return refusal
  if (sealedSecret.length > maxSealedSecretBytes) return refuse('TooLarge', 'the secret is too long')
  const owner = draft.get(users, user)
  if (owner === undefined) return userNotFound(user)
  if (draft.get(accessKeys, id) !== undefined) return refuse('KeyAlreadyExists', 'the access key exists already')
  if (owner.accessKeys.length >= maxAccessKeysPerUser) {
    return refuse('TooManyEntries', `a user has at most ${maxAccessKeysPerUser} access keys`)
  }
  draft.put(accessKeys, id, { user, sealedSecret, enabled: true, createdMs: draft.stamp.wallMs })
  draft.put(users, user, { ...owner, accessKeys: [...owner.accessKeys, id] })
  return { kind: 'access-key', id }
}
