/**
 * A Linux of its own as a process of this one (User-Mode Linux), with a disk that is a file. Its power is cut by killing
 * it: what it had not written to the disk yet is gone with its memory, as it never is when a process of ours is killed.
 *
 * What the guest wrote to the disk and did not flush is in the host's memory and stays: a cut shows what was never written,
 * not what a disk that lies would lose.
 */

import { spawn } from 'node:child_process'
import { readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

export interface GuestOptions {
  /** An ext4 file system in a file. */
  readonly image: string
  /** A directory for what the kernel keeps beside it. */
  readonly scratch: string
  readonly tap: string
  readonly address: string
  readonly memoryMb: number
  /** Of the kernel's processes. */
  readonly env: Readonly<Record<string, string>>
}

const repository = join(import.meta.dirname, '../..')
const mostConsoleChars = 4_000_000

export class Guest {
  private readonly image: string
  private readonly ended: Promise<void>
  private text = ''
  private isOver = false

  /** Switches it on; what becomes of that is on the console. */
  constructor({ image, scratch, tap, address, memoryMb, env }: GuestOptions) {
    this.image = image
    const root = ['root=/dev/root', 'rootfstype=hostfs', 'rootflags=/', 'ro']
    const devices = [`ubd0=${image}`, `vec0:transport=tap,ifname=${tap}`, 'con=null', 'con0=fd:0,fd:1', 'quiet']
    const init = [
      `init=${join(import.meta.dirname, 'guest-init.sh')}`,
      `GUEST_NODE=${process.execPath}`,
      `GUEST_REPOSITORY=${repository}`,
      `GUEST_ADDRESS=${address}`,
    ]
    const child = spawn('linux.uml', [`mem=${memoryMb}M`, `uml_dir=${scratch}`, ...root, ...devices, ...init], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, ...env },
      detached: true,
    })
    const hear = (chunk: Buffer): void => {
      if (this.text.length < mostConsoleChars) this.text += chunk.toString()
    }
    child.stdout.on('data', hear)
    child.stderr.on('data', hear)
    this.ended = new Promise((resolve) => {
      child.once('error', (error) => {
        this.text += String(error)
        this.isOver = true
        resolve()
      })
      child.once('close', () => {
        this.isOver = true
        resolve()
      })
    })
  }

  get console(): string {
    return this.text
  }

  /** Resolves with the time from now until it is said on the console. */
  async says(words: string, withinMs: number): Promise<number> {
    const beganMs = performance.now()
    while (!this.text.includes(words)) {
      const isOver = this.isOver || this.text.includes('ended by itself')
      if (isOver || performance.now() - beganMs > withinMs) {
        const what = isOver ? 'ended' : `did not say "${words}" within ${withinMs / 1000} s`
        const lines = this.text.split('\n').filter((line) => !line.startsWith('witness '))
        throw new Error(`the guest ${what}:\n${lines.slice(-30).join('\n')}`)
      }
      await sleep(20)
    }
    return performance.now() - beganMs
  }

  /** Resolves when nothing of it runs any more. */
  async cutPower(): Promise<void> {
    // The kernel is several processes of the host, and each of its own processes is one, too.
    while (!this.isOver || this.pids().length > 0) {
      for (const pid of this.pids()) killIfThere(pid)
      await Promise.race([this.ended, sleep(20)])
    }
  }

  private pids(): readonly number[] {
    return readdirSync('/proc')
      .filter((name) => /^\d+$/.test(name) && isOf(name, this.image))
      .map(Number)
  }
}

function isOf(pid: string, image: string): boolean {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'latin1').includes(`ubd0=${image}\0`)
  } catch (error) {
    if (error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ESRCH')) return false
    throw error
  }
}

function killIfThere(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error
  }
}
