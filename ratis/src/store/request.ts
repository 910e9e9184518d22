import type { StoreError } from '@o3/common/errors'
import type { BinaryKey } from '@o3/common/kv'
import type { RequestId, Term } from '../api/api.ts'

/** One command on its way through the store. */
export interface Request<Command, Reply> {
  readonly command: Command
  readonly requestId: RequestId | undefined
  /** In which it may be planned; undefined: in any. */
  readonly term: Term | undefined
  readonly resolve: (reply: Reply) => void
  readonly reject: (error: StoreError) => void
  rowsFetched: number
  /** Rows pinned in the cache on its behalf. */
  readonly held: BinaryKey[]
}
