/** One caller's view of the store. Made per request, so its parts come to be when they are asked for. */

import type {
  Admin,
  Buckets,
  IdentityAdmin,
  Keys,
  O3Session,
  Principal,
  Snapshots,
  Tree,
  Uploads,
  Volumes,
} from '../api/api.ts'
import { SessionAdmin } from './session-admin.ts'
import { SessionBuckets } from './session-buckets.ts'
import { SessionIdentities } from './session-identities.ts'
import { SessionKeys } from './session-keys.ts'
import { SessionUploads } from './session-uploads.ts'
import { SessionVolumes } from './session-volumes.ts'
import { snapshots, treeOf } from './later-releases.ts'
import type { StoreParts } from './parts.ts'

export class StoreSession implements O3Session {
  readonly principal: Principal
  private readonly parts: StoreParts
  private ownKeys: Keys | undefined

  constructor(parts: StoreParts, principal: Principal) {
    this.parts = parts
    this.principal = principal
  }

  get keys(): Keys {
    this.ownKeys ??= new SessionKeys(this.parts, this.principal)
    return this.ownKeys
  }

  get volumes(): Volumes {
    return new SessionVolumes(this.parts, this.principal)
  }

  get buckets(): Buckets {
    return new SessionBuckets(this.parts, this.principal)
  }

  get uploads(): Uploads {
    return new SessionUploads(this.parts, this.principal)
  }

  get tree(): Tree {
    return treeOf(this.keys)
  }

  get snapshots(): Snapshots {
    return snapshots
  }

  get identities(): IdentityAdmin {
    return new SessionIdentities(this.parts, this.principal)
  }

  get admin(): Admin {
    return new SessionAdmin(this.parts, this.principal)
  }
}
