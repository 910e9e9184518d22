/** What the sessions are made of. One for the whole store. */

import type { ChunkPool } from '@o3/common/digest/chunks'
import type { DigestPool } from '@o3/common/digest/pool'
import type { Random } from '@o3/common/env'
import type { ScmAdminProtocol } from '@o3/scm/api'
import type { ReplicationConfig } from '../api/api.ts'
import type { BodyReader } from './body-reader.ts'
import type { BodyWriter } from './body-writer.ts'
import type { Keyring } from '@o3/common/keyring'
import type { Namespace } from './namespace.ts'
import type { Rights } from './rights.ts'
import type { VisibleLists } from './visible-lists.ts'

export interface StoreParts {
  readonly rights: Rights
  readonly namespace: Namespace
  readonly lists: VisibleLists
  readonly writer: BodyWriter
  readonly reader: BodyReader
  readonly chunks: ChunkPool
  readonly digests: DigestPool
  readonly keyring: Keyring
  readonly random: Pick<Random, 'bytes'>
  readonly scm: Pick<ScmAdminProtocol, 'summary' | 'listNodes' | 'listContainers'>
  /** Of buckets whose creator asks for nothing else. */
  readonly replication: ReplicationConfig
}
