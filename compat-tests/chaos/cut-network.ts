/**
 * Hosts of our own on this machine: network namespaces on one bridge, each with one address, and packets dropped between
 * them one way or both. The addresses are of 10.213.0.0/24, which nobody outside of the namespaces sees.
 *
 * Names begin with ours, nothing outside of the namespaces is touched, and `remove` leaves nothing behind.
 */

import { run } from '../harness/command.ts'

/** Packets from the first to the second are dropped. */
export type Cut = readonly [from: string, to: string]

export class CutNetwork {
  readonly prefix: string
  private readonly hosts: readonly string[]

  /** `prefix` is short, of this run alone. At most 200 hosts. */
  constructor(prefix: string, hosts: readonly string[]) {
    this.prefix = prefix
    this.hosts = hosts
  }

  addressOf(host: string): string {
    return `10.213.0.${this.hosts.indexOf(host) + 1}`
  }

  /** The command that runs the rest of its line on the host. */
  on(host: string): readonly string[] {
    return ['ip', 'netns', 'exec', this.nameOf(host)]
  }

  /** Rejects where the machine does not let us; call `remove` all the same. */
  async make(): Promise<void> {
    const bridge = this.nameOf('switch')
    await ip('netns', 'add', bridge)
    await ip('-n', bridge, 'link', 'add', 'bridge', 'type', 'bridge')
    await ip('-n', bridge, 'link', 'set', 'bridge', 'up')
    for (const host of this.hosts) await this.plugIn(host, bridge)
    await this.cut([])
  }

  /** These and no others; those that are there already stay as they are. */
  async cut(cuts: readonly Cut[]): Promise<void> {
    await Promise.all(
      this.hosts.map((host) => {
        const silent = cuts.filter(([, to]) => to === host).map(([from]) => this.addressOf(from))
        return this.drop(host, silent)
      }),
    )
  }

  /** Ends what still runs on the hosts, and the hosts. Never rejects for what is not there. */
  async remove(): Promise<void> {
    const there = new Set((await run('ip', ['netns', 'list'])).split('\n').map((line) => line.split(' ')[0]))
    for (const name of [...this.hosts, 'switch'].map((host) => this.nameOf(host))) {
      if (!there.has(name)) continue
      const pids = (await run('ip', ['netns', 'pids', name])).split('\n').filter((pid) => pid !== '')
      for (const pid of pids) await run('kill', ['-KILL', pid]).catch(() => `${pid} has ended`)
      await ip('netns', 'delete', name)
    }
  }

  private nameOf(host: string): string {
    return `${this.prefix}-${host}`
  }

  private async plugIn(host: string, bridge: string): Promise<void> {
    const name = this.nameOf(host)
    await ip('netns', 'add', name)
    await ip('-n', bridge, 'link', 'add', host, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', name)
    await ip('-n', bridge, 'link', 'set', host, 'master', 'bridge', 'up')
    await ip('-n', name, 'link', 'set', 'lo', 'up')
    await ip('-n', name, 'address', 'add', `${this.addressOf(host)}/24`, 'dev', 'eth0')
    await ip('-n', name, 'link', 'set', 'eth0', 'up')
  }

  /** In one transaction of the kernel. */
  private async drop(host: string, silent: readonly string[]): Promise<void> {
    const [command = '', ...before] = this.on(host)
    const rule = silent.length === 0 ? '' : `ip saddr { ${silent.join(', ')} } drop`
    const input = [
      'table ip cuts',
      'delete table ip cuts',
      'table ip cuts {',
      '  chain in {',
      '    type filter hook input priority 0',
      `    ${rule}`,
      '  }',
      '}',
      '',
    ].join('\n')
    await run(command, [...before, 'nft', '-f', '-'], { input })
  }
}

async function ip(...args: readonly string[]): Promise<void> {
  await run('ip', args)
}
