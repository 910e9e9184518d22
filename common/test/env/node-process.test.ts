import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises'
import net from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Connection } from '../../src/env/env.ts'
import { nodeEnv } from '../../src/env/node/node-env.ts'

const module = join(import.meta.dirname, '../../src/env/node/node-env.ts')

/** Runs a script with `nodeEnv` at hand; its exit code and what it wrote to stderr. */
async function run(
  script: string,
  ...args: string[]
): Promise<{ code: number | null; signal: string | null; stderr: string }> {
  const source = `const { nodeEnv } = await import(${JSON.stringify(module)})\n${script}`
  const child = spawn(process.execPath, ['--input-type=module', '-e', source, ...args], {
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  let stderr = ''
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()))
  const [code, signal] = (await once(child, 'close')) as [number | null, string | null]
  return { code, signal, stderr }
}

describe('the environment of production', () => {
  let directory: string
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'o3-env-'))
  })
  afterEach(() => rm(directory, { recursive: true }))

  test('stops the process when a background task fails', async () => {
    const { code, stderr } = await run(`
      nodeEnv().tasks.spawn('scrubber', () => Promise.reject(new Error('a bug')))
      setInterval(() => {}, 1000)
    `)
    expect(code).toBe(1)
    expect(stderr).toContain('the task scrubber failed')
    expect(stderr).toContain('a bug')
  })

  test('stops the process when an action of a turn throws', async () => {
    const { code, stderr } = await run(`
      nodeEnv().tasks.nextTurn(() => { throw new Error('a bug') })
      setInterval(() => {}, 1000)
    `)
    expect(code).toBe(1)
    expect(stderr).toContain('a bug')
  })

  test('runs the other actions of a turn in which one threw', async () => {
    const { code } = await run(`
      process.on('uncaughtException', () => {})
      const { tasks } = nodeEnv()
      tasks.nextTurn(() => { throw new Error('a bug') })
      tasks.nextTurn(() => process.exit(7))
      setInterval(() => {}, 1000)
    `)
    expect(code).toBe(7)
  })

  test('tells of a failed task where it was asked to', async () => {
    const told: unknown[] = []
    const { tasks } = nodeEnv({ onTaskFailure: (name, error) => told.push(name, error) })
    const bug = new Error('a bug')
    await tasks.spawn('scrubber', () => Promise.reject(bug)).done
    expect(told).toEqual(['scrubber', bug])
  })

  test('calls the hook of a crash test at each site, and nothing without one', async () => {
    const { signal } = await run(`
      let hits = 0
      const { at } = nodeEnv({ onSite: (site) => {
        if (site === 'log.before-sync' && ++hits === 2) process.kill(process.pid, 'SIGKILL')
      } })
      nodeEnv().at('log.before-sync')
      at('log.before-sync')
      at('elsewhere')
      at('log.before-sync')
      process.exit(1)
    `)
    expect(signal).toBe('SIGKILL')
  })

  test("keeps a user's bytes to the user", async () => {
    const { disk } = nodeEnv({ root: directory })
    await disk.makeDirectory('d')
    await (await disk.open('d/f', 'create')).close()
    expect((await stat(join(directory, 'd'))).mode & 0o777).toBe(0o700)
    expect((await stat(join(directory, 'd/f'))).mode & 0o777).toBe(0o600)
  })

  test('draws randomness that differs', () => {
    const { random } = nodeEnv()
    expect(random.bytes(16)).toHaveLength(16)
    expect(random.bytes(16)).not.toEqual(random.bytes(16))
    expect(random.uuid()).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
    const fraction = random.fraction()
    expect(fraction).toBeGreaterThanOrEqual(0)
    expect(fraction).toBeLessThan(1)
  })

  test('takes over the socket file of a process that was killed, and no other file', async () => {
    const { network } = nodeEnv()
    const path = join(directory, 'socket')
    const { signal } = await run(
      `
      await nodeEnv().network.listen({ kind: 'unix', path: process.argv[1] }, () => {})
      process.kill(process.pid, 'SIGKILL')
    `,
      path,
    )
    expect(signal).toBe('SIGKILL')
    const listener = await network.listen({ kind: 'unix', path }, () => {})
    await expect(network.listen({ kind: 'unix', path }, () => {})).rejects.toMatchObject({ code: 'Busy' })
    await listener.close()
    await writeFile(path, 'precious')
    await expect(network.listen({ kind: 'unix', path }, () => {})).rejects.toMatchObject({ code: 'Busy' })
    expect((await stat(path)).size).toBe(8)
  })

  test('gives up connecting after the time it was given', async () => {
    // A process that is stopped accepts nobody, and when its backlog is full the kernel no longer answers for it.
    const listening = `require('node:net').createServer().listen({ host: '127.0.0.1', port: 0, backlog: 1 }, function () {
      process.stdout.write(String(this.address().port))
    })`
    const child = spawn(process.execPath, ['-e', listening], { stdio: ['ignore', 'pipe', 'inherit'] })
    const { network } = nodeEnv()
    const connections: Connection[] = []
    try {
      const [output] = (await once(child.stdout, 'data')) as [Buffer]
      child.kill('SIGSTOP')
      const address = { kind: 'tcp', host: '127.0.0.1', port: Number(output.toString()) } as const
      const connectUntilFull = async (): Promise<void> => {
        for (let i = 0; i < 20; i++) connections.push(await network.connect(address, { timeoutMs: 200 }))
      }
      await expect(connectUntilFull()).rejects.toMatchObject({ code: 'Unavailable', details: { errno: 'ETIMEDOUT' } })
    } finally {
      child.kill('SIGKILL')
      await once(child, 'close')
    }
    for (const connection of connections) await connection.close()
  })

  test('tells of a connection that was reset', async () => {
    const server = net.createServer((socket) => socket.once('data', () => socket.resetAndDestroy()))
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as net.AddressInfo
    const connection = await nodeEnv().network.connect({ kind: 'tcp', host: '127.0.0.1', port })
    await connection.send([new Uint8Array(1)])
    await expect(connection.received[Symbol.asyncIterator]().next()).rejects.toMatchObject({ code: 'Unavailable' })
    await expect(connection.send([new Uint8Array(1)])).rejects.toMatchObject({ code: 'Unavailable' })
    await connection.close()
    server.close()
  })
})
