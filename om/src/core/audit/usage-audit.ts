import type { BucketId, BucketRef } from '../../api/api.ts'
import type { BucketRow, BucketUsageRow } from '../rows/bucket.ts'
import type { VolumeRow, VolumeUsageRow } from '../rows/volume.ts'

interface Counted {
  bytes: number
  keys: number
  uploads: number
  buckets: number
}

const nothing = (): Counted => ({ bytes: 0, keys: 0, uploads: 0, buckets: 0 })

/** Compares the counters of buckets, volumes and owners with a full count. */
export class UsageAudit {
  private readonly volumes = new Map<string, VolumeRow>()
  private readonly volumeUsage = new Map<string, VolumeUsageRow>()
  private readonly buckets = new Map<BucketId, BucketRef>()
  private readonly bucketUsage = new Map<BucketId, BucketUsageRow>()
  private readonly counted = new Map<BucketId, Counted>()
  private readonly owned = new Map<string, number>()
  private readonly owners = new Map<string, number>()
  private readonly findings: string[] = []

  addVolume(name: string, row: VolumeRow): void {
    this.volumes.set(name, row)
    this.countOwned(row.owner)
  }

  addVolumeUsage(name: string, row: VolumeUsageRow): void {
    this.volumeUsage.set(name, row)
  }

  addBucket(ref: BucketRef, row: BucketRow): void {
    if (this.buckets.has(row.id)) this.findings.push(`bucket ${row.id} is there twice`)
    this.buckets.set(row.id, ref)
    this.countOwned(row.owner)
  }

  addBucketUsage(id: BucketId, row: BucketUsageRow): void {
    this.bucketUsage.set(id, row)
  }

  addOwner(owner: string, count: number): void {
    this.owners.set(owner, count)
  }

  /** Keys, parts and uploads as they are met. */
  count(bucket: BucketId, more: { readonly bytes?: number; readonly keys?: number; readonly uploads?: number }): void {
    const counted = this.counted.get(bucket) ?? nothing()
    counted.bytes += more.bytes ?? 0
    counted.keys += more.keys ?? 0
    counted.uploads += more.uploads ?? 0
    this.counted.set(bucket, counted)
  }

  finish(): readonly string[] {
    this.checkBuckets()
    this.checkVolumes()
    this.compare('an owner owns', this.owners, this.owned)
    return this.findings
  }

  private countOwned(owner: string): void {
    this.owned.set(owner, (this.owned.get(owner) ?? 0) + 1)
  }

  private checkBuckets(): void {
    for (const id of new Set([...this.counted.keys(), ...this.bucketUsage.keys()])) {
      if (!this.buckets.has(id)) this.findings.push(`bucket ${id} is gone, and something of it is left`)
    }
    for (const [id, ref] of this.buckets) {
      const claimed = this.bucketUsage.get(id)
      this.check(`bucket ${ref.volume}/${ref.bucket}`, ['bytes', 'keys', 'uploads'], claimed, this.counted.get(id))
    }
  }

  private checkVolumes(): void {
    const totals = new Map<string, Counted>()
    for (const [id, { volume }] of this.buckets) {
      const total = totals.get(volume) ?? nothing()
      const counted = this.counted.get(id) ?? nothing()
      total.bytes += counted.bytes
      total.keys += counted.keys
      total.buckets++
      totals.set(volume, total)
    }
    for (const name of new Set([...totals.keys(), ...this.volumeUsage.keys()])) {
      if (!this.volumes.has(name)) this.findings.push(`volume ${name} is gone, and something of it is left`)
    }
    for (const name of this.volumes.keys()) {
      this.check(`volume ${name}`, ['bytes', 'keys', 'buckets'], this.volumeUsage.get(name), totals.get(name))
    }
  }

  private check<Unit extends keyof Counted>(
    what: string,
    units: readonly Unit[],
    claimed: Readonly<Record<Unit, number>> | undefined,
    counted: Readonly<Record<Unit, number>> = nothing(),
  ): void {
    for (const unit of units) {
      if (claimed?.[unit] !== counted[unit]) {
        this.findings.push(`${what} counts ${claimed?.[unit] ?? 'no'} ${unit} and has ${counted[unit]}`)
      }
    }
  }

  private compare(what: string, claimed: ReadonlyMap<string, number>, counted: ReadonlyMap<string, number>): void {
    for (const name of new Set([...claimed.keys(), ...counted.keys()])) {
      if (claimed.get(name) === counted.get(name)) continue
      this.findings.push(
        `${what} ${counted.get(name) ?? 0}, and the row of ${name} says ${claimed.get(name) ?? 'nothing'}`,
      )
    }
  }
}
