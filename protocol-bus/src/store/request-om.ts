/**
 * OM as one request sees it, where each question to OM is a round trip: rows that came with the request's lookup are
 * answered at once, everything else goes through.
 */

import type { Bucket, BucketRef, Key, KeyRef, OmClient, OmCommand, OmReply, Upload, UploadId, Volume } from '@o3/om/api'
import { rowOf } from './request-rows.ts'
import type { RequestRows } from './request-rows.ts'

export class RequestOm implements OmClient {
  private readonly om: OmClient
  private readonly rows: RequestRows

  constructor(om: OmClient, rows: RequestRows) {
    this.om = om
    this.rows = rows
  }

  execute(command: OmCommand, options?: { readonly requestId?: string }): Promise<OmReply> {
    this.rows.drop()
    return this.om.execute(command, options)
  }

  getVolume(volume: string): Volume | Promise<Volume> {
    return this.rows.volume(volume) ?? this.om.getVolume(volume)
  }

  getBucket(ref: BucketRef): Bucket | Promise<Bucket> {
    return this.rows.bucket(ref) ?? this.fetchBucket(ref)
  }

  getKey(ref: KeyRef): Key | Promise<Key> {
    return this.rows.takeKey(ref) ?? this.om.getKey(ref)
  }

  async getUpload(ref: KeyRef & { readonly upload: UploadId }): Promise<Upload> {
    return this.rows.upload(ref) ?? this.om.getUpload(ref)
  }

  listVolumes(...query: Parameters<OmClient['listVolumes']>): ReturnType<OmClient['listVolumes']> {
    return this.om.listVolumes(...query)
  }

  listBuckets(...query: Parameters<OmClient['listBuckets']>): ReturnType<OmClient['listBuckets']> {
    return this.om.listBuckets(...query)
  }

  listKeys(...query: Parameters<OmClient['listKeys']>): ReturnType<OmClient['listKeys']> {
    return this.om.listKeys(...query)
  }

  listUploads(...query: Parameters<OmClient['listUploads']>): ReturnType<OmClient['listUploads']> {
    return this.om.listUploads(...query)
  }

  listParts(...query: Parameters<OmClient['listParts']>): ReturnType<OmClient['listParts']> {
    return this.om.listParts(...query)
  }

  getParts(...query: Parameters<OmClient['getParts']>): ReturnType<OmClient['getParts']> {
    return this.om.getParts(...query)
  }

  getUser(...name: Parameters<OmClient['getUser']>): ReturnType<OmClient['getUser']> {
    return this.om.getUser(...name)
  }

  listUsers(...query: Parameters<OmClient['listUsers']>): ReturnType<OmClient['listUsers']> {
    return this.om.listUsers(...query)
  }

  getAccessKey(...id: Parameters<OmClient['getAccessKey']>): ReturnType<OmClient['getAccessKey']> {
    return this.om.getAccessKey(...id)
  }

  listAccessKeys(...query: Parameters<OmClient['listAccessKeys']>): ReturnType<OmClient['listAccessKeys']> {
    return this.om.listAccessKeys(...query)
  }

  leaseBlocks(...request: Parameters<OmClient['leaseBlocks']>): ReturnType<OmClient['leaseBlocks']> {
    return this.om.leaseBlocks(...request)
  }

  audit(): Promise<readonly string[]> {
    return this.om.audit()
  }

  /** With its volume: rights on a bucket may come from there. */
  private async fetchBucket({ volume, bucket }: BucketRef): Promise<Bucket> {
    const { places } = await this.rows.fetch({ places: [{ volume, bucket }] })
    return rowOf(places[0]?.bucket) ?? this.om.getBucket({ volume, bucket })
  }
}
