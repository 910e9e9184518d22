/** Every command and the function that decides it. */

import type { OmCommand } from '../../api/api.ts'
import { abortUpload } from './abort-upload.ts'
import { commitKey } from './commit-key.ts'
import { commitPart } from './commit-part.ts'
import { completeUpload } from './complete-upload.ts'
import { createAccessKey } from './create-access-key.ts'
import { createBucket } from './create-bucket.ts'
import { createUpload } from './create-upload.ts'
import { createUser } from './create-user.ts'
import { createVolume } from './create-volume.ts'
import { deleteAccessKey } from './delete-access-key.ts'
import { deleteBucket } from './delete-bucket.ts'
import { deleteKey } from './delete-key.ts'
import { deleteKeys } from './delete-keys.ts'
import { deleteUser } from './delete-user.ts'
import { deleteVolume } from './delete-volume.ts'
import { endLease } from './end-lease.ts'
import { grantLease } from './grant-lease.ts'
import type { Handler } from './handler.ts'
import { purgeDeletedBlocks } from './purge-deleted-blocks.ts'
import { renameKey } from './rename-key.ts'
import { renewLease } from './renew-lease.ts'
import { setKeyTags } from './set-key-tags.ts'
import { updateAccessKey } from './update-access-key.ts'
import { updateBucket } from './update-bucket.ts'
import { updateUser } from './update-user.ts'
import { updateVolume } from './update-volume.ts'

export const commands: { readonly [Kind in OmCommand['kind']]: Handler<Kind> } = {
  'create-volume': createVolume,
  'update-volume': updateVolume,
  'delete-volume': deleteVolume,
  'create-bucket': createBucket,
  'update-bucket': updateBucket,
  'delete-bucket': deleteBucket,
  'commit-key': commitKey,
  'delete-key': deleteKey,
  'delete-keys': deleteKeys,
  'set-key-tags': setKeyTags,
  'rename-key': renameKey,
  'create-upload': createUpload,
  'commit-part': commitPart,
  'complete-upload': completeUpload,
  'abort-upload': abortUpload,
  'create-user': createUser,
  'update-user': updateUser,
  'delete-user': deleteUser,
  'create-access-key': createAccessKey,
  'update-access-key': updateAccessKey,
  'delete-access-key': deleteAccessKey,
  'grant-lease': grantLease,
  'renew-lease': renewLease,
  'end-lease': endLease,
  'purge-deleted-blocks': purgeDeletedBlocks,
}
