import { isStoreError } from '@o3/common/errors'
import { EcReader, WasmErasureCode } from '@o3/hdds/client'
import type { ContainerDetails, ContainerPlace } from '@o3/scm/api'
import type { DataWorld } from './data-world.ts'

/** An encoded container, as its shards themselves say. */
export interface EncodedBlocks {
  readonly blocks: readonly { readonly name: string; readonly lengthBytes: number }[]
  /** It was encoded anew: some blocks of what it was made of are not in it. */
  readonly isAnew: boolean
}

/** Reads shards at their machines, past tokens and the network. Undefined: they cannot be read now. */
export async function encodedBlocks(
  world: DataWorld,
  { info, ec }: ContainerDetails,
  place: ContainerPlace,
): Promise<EncodedBlocks | undefined> {
  if (ec === undefined || place.ec === undefined) return undefined
  const reader = new EcReader({
    datanode: (id) => world.datanodes.find((machine) => machine.id === id)?.life?.datanode,
    code: new WasmErasureCode(),
    clock: world.simulation.clock,
  })
  try {
    const listed = await reader.listBlocks(place)
    const blocks = listed.map(({ block, lengthBytes }) => ({ name: `${info.id}/${block.local}`, lengthBytes }))
    return { blocks, isAnew: (await reader.source(place).contentHash()) === undefined }
  } catch (error) {
    if (!isStoreError(error)) throw error
    return undefined
  }
}
