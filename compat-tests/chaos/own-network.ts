/** A scenario on hosts of its own: the network is made, the program runs again on one of them, and the network goes. */

import { runAgain } from '../harness/again.ts'
import { restHost } from './cluster-on-hosts.ts'
import { CutNetwork } from './cut-network.ts'

/** Those of `hosts`, and the one of everybody else. */
export function networkOf(prefix: string, hosts: readonly string[]): CutNetwork {
  return new CutNetwork(prefix, [...hosts, restHost])
}

/** `args` begin with the scenario. The network is taken away whatever happened; resolves with the exit code. */
export async function onOwnNetwork(args: readonly string[], hosts: readonly string[]): Promise<number> {
  const prefix = `o3c${process.pid}`
  const network = networkOf(prefix, hosts)
  try {
    await network.make()
    return await runAgain(network.on(restHost), [...args, '--network', prefix])
  } catch (error) {
    process.stdout.write(`FAIL  ${args[0]}: this machine has no network namespaces for us: ${String(error)}\n`)
    process.stdout.write('0 passed, 1 failed\n')
    return 1
  } finally {
    await network.remove()
  }
}
