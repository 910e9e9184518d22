/**
 * What one lookup brought for one request. Rows are of a moment after the request came in, so to decide by them is to decide
 * as of that moment; they are given out only to that request, only for a short time, and not after it has changed
 * anything itself. What is not here, or not any more, is undefined: then OM is asked.
 */

import type { Clock } from '@o3/common/env'
import { StoreError } from '@o3/common/errors'
import { maxLookupPlaces } from '@o3/om/api'
import type {
  Bucket,
  BucketRef,
  Found,
  Key,
  KeyRef,
  LookupAnswer,
  LookupRequest,
  OmClient,
  Upload,
  UploadId,
  Volume,
} from '@o3/om/api'
import type { Foreseen } from '../api/api.ts'

/** A body that takes longer than this is committed under rights that were looked up again. */
const freshMs = 1_000

/** An OM that is asked for all rows at once. */
export type DistantOm = Pick<Required<OmClient>, 'lookup'>

export function isDistant<Om extends Pick<OmClient, 'lookup'>>(om: Om): om is Om & DistantOm {
  return om.lookup !== undefined
}

export interface RowsOptions {
  readonly om: DistantOm
  readonly clock: Pick<Clock, 'monotonicMs'>
}

const brought = new WeakMap<Foreseen, RequestRows>()

export class RequestRows {
  private readonly options: RowsOptions
  private request: LookupRequest = { places: [] }
  private answer: LookupAnswer = { places: [] }
  private untilMs = -Infinity
  private drops = 0

  constructor(options: RowsOptions) {
    this.options = options
  }

  /** Those that `lookup` brought for this request; none yet where it was not asked, or asked of another OM. */
  static of(foreseen: Foreseen, options: RowsOptions): RequestRows {
    const rows = brought.get(foreseen)
    return rows?.options.om === options.om ? rows : new RequestRows(options)
  }

  /** Asks with the access key, and keeps the rest for the session of the same request. */
  static async lookup(foreseen: Foreseen | undefined, accessKey: string, options: RowsOptions): Promise<LookupAnswer> {
    if (foreseen === undefined) return options.om.lookup({ accessKey, places: [] })
    const rows = new RequestRows(options)
    brought.set(foreseen, rows)
    return rows.fetch({ ...foreseen, accessKey, places: foreseen.places.slice(0, maxLookupPlaces) })
  }

  /** Replaces all that is here. */
  async fetch(request: LookupRequest): Promise<LookupAnswer> {
    this.drop()
    const { drops } = this
    const answer = await this.options.om.lookup(request)
    // Else the request has changed something meanwhile, or looks for something else.
    if (this.drops === drops) {
      this.request = request
      this.answer = answer
      this.untilMs = this.options.clock.monotonicMs() + freshMs
    }
    return answer
  }

  /** The request changes something: what was read before is not what it would read now. */
  drop(): void {
    this.drops++
    this.untilMs = -Infinity
  }

  /** `VolumeNotFound`. */
  volume(name: string): Volume | undefined {
    if (!this.isFresh()) return undefined
    const at = this.request.places.findIndex(({ volume }) => volume === name)
    return rowOf(this.answer.places[at]?.volume)
  }

  /** `BucketNotFound`. */
  bucket({ volume, bucket }: BucketRef): Bucket | undefined {
    if (!this.isFresh()) return undefined
    const at = this.request.places.findIndex((place) => place.bucket === bucket && place.volume === volume)
    return rowOf(this.answer.places[at]?.bucket)
  }

  /** Once: who asks again does so because the first answer was not of use. As `OmClient.getKey`. */
  takeKey(ref: KeyRef): Key | undefined {
    const { request, answer } = this
    if (!this.isFresh() || !isSameKey(request.key, ref)) return undefined
    const { key: _, ...rest } = answer
    this.answer = rest
    return rowOf(answer.key)
  }

  /** As `OmClient.getUpload`. */
  upload(ref: KeyRef & { readonly upload: UploadId }): Upload | undefined {
    const { request, answer } = this
    if (!this.isFresh() || request.upload?.upload !== ref.upload || !isSameKey(request.upload, ref)) return undefined
    return rowOf(answer.upload)
  }

  private isFresh(): boolean {
    return this.options.clock.monotonicMs() < this.untilMs
  }
}

function isSameKey(a: KeyRef | undefined, b: KeyRef): boolean {
  return a !== undefined && a.key === b.key && a.bucket === b.bucket && a.volume === b.volume
}

/** The row. Throws the refusal. */
export function rowOf<T>(found: Found<T> | undefined): T | undefined {
  if (found === undefined) return undefined
  if (found.kind === 'refused') throw StoreError.fromRecord(found.error)
  return found.row
}
