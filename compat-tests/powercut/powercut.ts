/**
 * `npm run powercut -- [--cuts 15] [--seconds 240]`: a whole cluster in User-Mode Linux, under load from outside, whose power
 * is cut at random, also while it starts. It comes back by itself, and everything that was acknowledged is there, byte for
 * byte. No cut begins after `seconds`. Where it cannot run it fails and says why; `--probe` only says whether it can.
 */

import { appendFileSync, mkdtempSync, rmSync } from 'node:fs'
import { Agent } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { CreateBucketCommand } from '@aws-sdk/client-s3'
import { connect, crashBucket, lightMix, verify, worker } from '../crash/load.ts'
import { Oracle } from '../crash/oracle.ts'
import { runAgain } from '../harness/again.ts'
import { run } from '../harness/command.ts'
import { Guest } from './guest.ts'
import { tryGuest, umlEnvironment } from './uml.ts'
import { Witnesses } from './witnesses.ts'

const { values } = parseArgs({
  options: {
    cuts: { type: 'string', default: '15' },
    seconds: { type: 'string', default: '240' },
    probe: { type: 'boolean', default: false },
    /** Given to itself when it runs in the namespace that it made. */
    inside: { type: 'boolean', default: false },
  },
})
const tap = 'tap0'
const [hostAddress, guestAddress] = ['10.99.0.1', '10.99.0.2']
const server = {
  endpoint: `http://${guestAddress}:9000`,
  accessKey: 'powercut-access-key',
  secretKey: 'powercut-secret-key-0123456789abcdef',
}
const workers = 6
/** Of a start with its recovery; a guest has one processor, which eight processes share. */
const readyMs = 180_000
/** Of the cuts, those that come while the cluster starts. */
const earlyCuts = 0.2
const loadMs = [4_000, 16_000] as const
const memoryMb = 3_000

function say(line: string): void {
  process.stdout.write(`${line}\n`)
}

/** A namespace with a wire to the guest, so that nothing of the host's network changes. */
async function outside(): Promise<number> {
  const name = `o3p${process.pid}`
  const scratch = mkdtempSync(join(tmpdir(), 'o3-guest-'))
  try {
    // Whatever this machine lacks is said here, before anything begins.
    await tryGuest(scratch)
    await run('ip', ['netns', 'add', name])
    await run('ip', ['-n', name, 'tuntap', 'add', tap, 'mode', 'tap'])
    await run('ip', ['-n', name, 'address', 'add', `${hostAddress}/24`, 'dev', tap])
    await run('ip', ['-n', name, 'link', 'set', tap, 'up'])
    if (values.probe) return 0
    const args = ['--inside', '--cuts', values.cuts, '--seconds', values.seconds]
    return await runAgain(['ip', 'netns', 'exec', name], args)
  } catch (error) {
    say(`FAIL  powercut: it cannot run here (it needs root, a C compiler and what its README names): ${String(error)}`)
    say('0 passed, 1 failed')
    return 1
  } finally {
    rmSync(scratch, { recursive: true, force: true })
    const there = await run('ip', ['netns', 'list'])
    if (there.includes(name)) {
      for (const pid of (await run('ip', ['netns', 'pids', name])).split('\n')) {
        if (pid !== '') await run('kill', ['-KILL', pid]).catch(() => `${pid} has ended`)
      }
      await run('ip', ['netns', 'delete', name])
    }
  }
}

class PowerCuts {
  readonly oracle = new Oracle()
  readonly witnesses = new Witnesses()
  readonly findings: string[] = []
  cuts = 0
  slowestStartMs = 0
  private readonly root = mkdtempSync(join(tmpdir(), 'o3-powercut-'))
  private readonly image = join(this.root, 'disk.img')
  private env: Readonly<Record<string, string>> = {}

  async run(mostCuts: number, untilMs: number): Promise<void> {
    this.env = await umlEnvironment(this.root)
    await run('truncate', ['--size', '6G', this.image])
    await run('mkfs.ext4', ['-q', '-F', this.image])
    while (this.cuts < mostCuts && performance.now() < untilMs && this.isSound) {
      const isEarly = this.cuts > 0 && Math.random() < earlyCuts
      await (isEarly ? this.startAndCut() : this.loadAndCut())
      this.cuts += 1
    }
    if (this.isSound) await this.inGuest((guest) => this.readBack(guest))
    if (this.isSound) rmSync(this.root, { recursive: true, force: true })
    else say(`the disk of the guest and what it said is kept: ${this.root}`)
  }

  private get isSound(): boolean {
    return this.oracle.findings.length + this.findings.length === 0
  }

  private async startAndCut(): Promise<void> {
    await this.inGuest(async () => {
      const afterMs = Math.random() * Math.max(3_000, this.slowestStartMs)
      await sleep(afterMs)
      say(`cut ${this.cuts + 1} after ${(afterMs / 1000).toFixed(1)} s of its start`)
    })
  }

  private async loadAndCut(): Promise<void> {
    await this.inGuest(async (guest) => {
      const startMs = await this.readBack(guest)
      const wire = new Wire()
      const client = connect(server, { agent: wire })
      let isOver = false
      const loop = async (id: number): Promise<void> => {
        while (!isOver) {
          await worker(client, this.oracle, id, () => isOver, lightMix)
          await sleep(20)
        }
      }
      const load = Array.from({ length: workers }, (_, id) => loop(id))
      await sleep(loadMs[0] + Math.random() * (loadMs[1] - loadMs[0]))
      await guest.cutPower()
      isOver = true
      // Nobody answers any more, and nobody says so.
      wire.cut()
      await Promise.all(load)
      client.destroy()
      say(
        `cut ${this.cuts + 1}: started in ${(startMs / 1000).toFixed(1)} s, ${this.oracle.acknowledged} acknowledged so far`,
      )
    })
  }

  /** Everything that was ever acknowledged. */
  private async readBack(guest: Guest): Promise<number> {
    const startMs = await guest.says('O3 is ready', readyMs)
    this.slowestStartMs = Math.max(this.slowestStartMs, startMs)
    const patient = connect(server, { attempts: 10 })
    try {
      if (this.oracle.keys.length === 0)
        await patient.send(new CreateBucketCommand({ Bucket: crashBucket })).catch(exists)
      await verify(patient, this.oracle)
    } finally {
      patient.destroy()
    }
    return startMs
  }

  /** However it ends, the guest ends with it. */
  private async inGuest(live: (guest: Guest) => Promise<unknown>): Promise<void> {
    const { image, root: scratch, env } = this
    const guest = new Guest({ image, scratch, tap, address: guestAddress, memoryMb, env })
    try {
      await live(guest)
    } catch (error) {
      this.findings.push(String(error))
    } finally {
      await guest.cutPower()
      this.witnesses.listen(guest.console)
      appendFileSync(join(this.root, 'console'), guest.console)
    }
  }
}

/** The first life may have been cut between the bucket and the first key. */
function exists(error: unknown): void {
  if (!(error instanceof Error && error.name === 'BucketAlreadyOwnedByYou')) throw error
}

/** Connections that end at the caller's word, and then none begins. */
class Wire extends Agent {
  private isCut = false

  cut(): void {
    this.isCut = true
    this.destroy()
  }

  override createConnection(...args: Parameters<Agent['createConnection']>): ReturnType<Agent['createConnection']> {
    if (this.isCut) throw new Error('the wire is cut')
    return super.createConnection(...args)
  }
}

async function inside(): Promise<void> {
  // Whatever hangs here, the lane comes to an end.
  const mostMs = Number(values.seconds) * 1000 + 3 * readyMs
  setTimeout(() => {
    say(`FAIL  powercut: not at its end after ${mostMs / 1000} s`)
    say('0 passed, 1 failed')
    process.exit(1)
  }, mostMs).unref()
  const powerCuts = new PowerCuts()
  await powerCuts.run(Number(values.cuts), performance.now() + Number(values.seconds) * 1000)
  const { oracle, witnesses, findings, cuts, slowestStartMs } = powerCuts
  for (const { key, problem } of oracle.findings) findings.push(`${key}: ${problem}`)
  if (witnesses.syncedLost > 0) findings.push(`the witness lost ${witnesses.syncedLost} numbers that it had synced`)
  if (witnesses.unsyncedLost === 0)
    findings.push('the witness lost nothing that it had not synced: these were no power cuts')
  for (const finding of findings) say(`FAIL  ${finding}`)
  const lost = `lost or wrong ${oracle.findings.length}; slowest start ${(slowestStartMs / 1000).toFixed(1)} s`
  const witness = `witness: ${witnesses.unsyncedLost} unsynced numbers gone, ${witnesses.syncedLost} synced ones`
  say(`ledger: cuts ${cuts}, acknowledged ${oracle.acknowledged}, ${lost}; ${witness}`)
  say(`${cuts - Math.min(cuts, findings.length)} passed, ${findings.length} failed`)
  process.exitCode = findings.length === 0 ? 0 : 1
}

if (values.inside) await inside()
else process.exitCode = await outside()
