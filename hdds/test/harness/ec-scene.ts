/**
 * Shards at datanodes that can be away, slow or rotten. They are one real datanode under many names: shard `i` of a container is
 * at `dn-i`, and what is done to one name is not done to the others.
 */

import { StoreError } from '@o3/common/errors'
import type { ContainerId, EcLayout, EcPolicy, ReplicaLocation } from '@o3/scm/api'
import type { Datanode } from '../../src/api/api.ts'
import { shapeOf, shardCount } from '../../src/core/ec/ec-shape.ts'
import { replicaSource } from '../../src/ec/block-source.ts'
import { EcReader } from '../../src/ec/ec-reader.ts'
import type { EcReaderOptions, EncodedPlace } from '../../src/ec/ec-reader.ts'
import { encodeContainer } from '../../src/ec/encode-container.ts'
import type { EncodeOptions, EncodeOutcome, EncodeRequest, ShardWork } from '../../src/ec/encode-container.ts'
import { WasmErasureCode } from '../../src/ec/erasure-code.ts'
import { patternOf } from './bytes.ts'
import { withDatanode } from './with-datanode.ts'
import type { Scene } from './with-datanode.ts'

export const parent: ContainerId = 1
/** So many milliseconds pass before a slow one answers. */
export const slownessMs = 60_000

type State = 'up' | 'away' | 'slow' | 'rotten'

export interface EcCall {
  readonly id: string
  readonly method: string
  readonly container: ContainerId
  readonly local: number
}

export class EcScene {
  readonly scene: Scene
  readonly policy: EcPolicy
  readonly cellBytes: number
  readonly code = new WasmErasureCode()
  /** What was read and written, since it was last emptied. */
  calls: EcCall[] = []
  /** Called with each `writeBlock`. */
  onWrite: (call: EcCall) => Promise<void> = async () => {}
  private readonly states = new Map<string, State>()

  constructor(scene: Scene, policy: EcPolicy, cellBytes: number) {
    this.scene = scene
    this.policy = policy
    this.cellBytes = cellBytes
  }

  get count(): number {
    return shardCount(shapeOf(this.policy))
  }

  set(shard: number, state: State): void {
    this.states.set(`dn-${shard}`, state)
  }

  readonly find = (id: string): Datanode | undefined => {
    const { datanode } = this.scene
    return new Proxy<Datanode>(datanode, {
      get: (target, name) => {
        const value: unknown = Reflect.get(target, name)
        if (typeof value !== 'function') return value
        return async (...args: unknown[]): Promise<unknown> => {
          const call = callOf(id, String(name), args[0])
          this.calls.push(call)
          await this.obstruct(id, call)
          return await (value as (...given: unknown[]) => unknown).apply(target, args)
        }
      },
    })
  }

  private async obstruct(id: string, call: EcCall): Promise<void> {
    const details = { container: call.container, local: call.local, offset: 0, path: 'test' }
    switch (this.states.get(id) ?? 'up') {
      case 'away':
        throw new StoreError('Unavailable', `${id} is away`)
      case 'rotten':
        throw new StoreError('Damaged', `${id} is rotten`, { details })
      case 'slow':
        await this.scene.machine.env.clock.sleep(slownessMs)
        break
      case 'up':
    }
    if (call.method === 'writeBlock') await this.onWrite(call)
  }

  /** Containers from `first` on; the second encoding of a container wants others than the first. */
  layout(first: ContainerId = 100): EcLayout {
    const shards = Array.from({ length: this.count }, (_, i) => ({ container: first + i, replicas: [at(i)] }))
    return { policy: this.policy, shards }
  }

  place(first?: ContainerId): EncodedPlace & { readonly ec: EcLayout } {
    return { container: parent, ec: this.layout(first) }
  }

  get work(): ShardWork {
    return { doors: { datanode: this.find }, code: this.code, clock: this.scene.machine.env.clock }
  }

  reader(options: Partial<EcReaderOptions> = {}): EcReader {
    return new EcReader({ datanode: this.find, code: this.code, clock: this.scene.machine.env.clock, ...options })
  }

  /** Into containers from `first` on. */
  encode(
    { first, ...request }: Partial<EncodeRequest> & { readonly first?: ContainerId } = {},
    options: Partial<EncodeOptions> = {},
  ): Promise<EncodeOutcome> {
    const shards = this.layout(first).shards.map(({ container }, i) => ({ container, at: at(i) }))
    return encodeContainer(
      { container: parent, policy: this.policy, shards, cellBytes: this.cellBytes, ...request },
      { ...this.work, source: replicaSource(this.scene.datanode, parent), ...options },
    )
  }

  /** Writes the blocks of the parent, in a strange order, and closes it. */
  async fill(sizes: readonly number[]): Promise<ReadonlyMap<number, Uint8Array>> {
    const { datanode } = this.scene
    const contents = new Map(sizes.map((size, i) => [3 * i + 2, patternOf(3 * i + 2, size)] as const))
    await datanode.createContainer(parent)
    for (const [local, bytes] of [...contents].toReversed()) {
      const writer = await datanode.openWriter({ container: parent, local })
      await writer.write([bytes])
      await writer.commit()
    }
    await datanode.closeContainer(parent)
    return contents
  }
}

function at(shard: number): ReplicaLocation {
  return { datanode: `dn-${shard}`, address: undefined }
}

function callOf(id: string, method: string, subject: unknown): EcCall {
  if (typeof subject === 'number') return { id, method, container: subject, local: 0 }
  const { container, local } = (subject ?? { container: 0, local: 0 }) as { container: number; local: number }
  return { id, method, container, local }
}

/** On virtual time. */
export async function withEcScene(
  script: (scene: EcScene) => Promise<void>,
  { policy = 'rs-3-2-1024k', cellBytes = 4096 }: { readonly policy?: EcPolicy; readonly cellBytes?: number } = {},
): Promise<void> {
  await withDatanode((scene) => script(new EcScene(scene, policy, cellBytes)))
}
