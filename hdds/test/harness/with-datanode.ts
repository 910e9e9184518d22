import type { Datanode } from '../../src/api/api.ts'
import type { LocalDatanode } from '../../src/service/local-datanode.ts'
import { Machine } from './machine.ts'
import type { MachineOptions } from './machine.ts'

export interface Scene {
  readonly machine: Machine
  /** The datanode that runs now. */
  readonly datanode: LocalDatanode
  /** A power cut, and a start after it. */
  crash(): Promise<LocalDatanode>
  /** An orderly stop, and a start after it. */
  restart(): Promise<LocalDatanode>
}

/** Runs a script against a datanode on a simulated machine, on virtual time. */
export async function withDatanode(
  script: (scene: Scene) => Promise<void>,
  options: Omit<MachineOptions, 'seed'> & { readonly seed?: number } = {},
): Promise<void> {
  const machine = new Machine({ seed: 1, ...options })
  const { node } = machine
  await machine.run(async () => {
    await machine.start()
    await script({
      machine,
      get datanode() {
        return machine.datanode
      },
      crash: () => {
        node.crash()
        return machine.start()
      },
      restart: async () => {
        await machine.datanode.close()
        node.kill()
        return await machine.start()
      },
    })
  })
}

/** For checks that must hold before and after a restart or a crash. */
export async function* beforeAndAfter<Node extends Datanode>(
  datanode: Node,
  again: () => Promise<Node>,
): AsyncGenerator<Node> {
  yield datanode
  yield await again()
}
