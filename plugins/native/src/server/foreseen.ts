/** What each call is about to touch: a hint for the store (`Foreseen`). A call that is not here touches nothing of names, or too rarely. */

import type { BucketRef, Foreseen, KeyRef } from '@o3/protocol-bus/api'
import type { Method, RequestOf, UploadRef } from '../core/calls.ts'

type Tellers = { readonly [M in Method]?: (request: RequestOf<M>) => Foreseen }

const within = (ref: BucketRef): Foreseen => ({ places: [ref] })
const ofBucket = ({ ref }: { readonly ref: BucketRef }): Foreseen => within(ref)
const ofVolume = ({ volume }: { readonly volume: string }): Foreseen => ({ places: [{ volume }] })
const ofRead = ({ ref }: { readonly ref: KeyRef }): Foreseen => ({ places: [ref], key: ref })
const ofUpload = (ref: UploadRef): Foreseen => ({ places: [ref], upload: ref })

const tellers: Tellers = {
  'volumes.info.1': ofVolume,
  'volumes.update.1': ofVolume,
  'volumes.delete.1': ofVolume,
  'buckets.create.1': ({ ref: { volume } }) => ({ places: [{ volume }] }),
  'buckets.list.1': ofVolume,
  'buckets.info.1': within,
  'buckets.update.1': ofBucket,
  'buckets.delete.1': within,
  'keys.put.1': ofBucket,
  'keys.get.1': ofRead,
  'keys.head.1': ofRead,
  'keys.list.1': ofBucket,
  'keys.copy.1': ({ source, target }) => ({ places: [source, target], key: source }),
  'keys.rename.1': ofBucket,
  'keys.delete.1': ofBucket,
  'keys.delete-many.1': ofBucket,
  'keys.set-tags.1': ofBucket,
  'uploads.start.1': ofBucket,
  'uploads.info.1': ofUpload,
  'uploads.put-part.1': ({ ref }) => ofUpload(ref),
  'uploads.copy-part.1': ({ ref, source }) => ({ places: [ref, source], key: source, upload: ref }),
  'uploads.parts.1': ofBucket,
  'uploads.complete.1': ofBucket,
  'uploads.abort.1': within,
  'uploads.list.1': ofBucket,
  'tree.rename.1': ofBucket,
}

export function tellerOf(method: Method): ((request: unknown) => Foreseen) | undefined {
  // What decoded the request of a method is what its teller takes.
  return tellers[method] as ((request: unknown) => Foreseen) | undefined
}
