/** Clients that go away in the middle of an upload: no key, and in the end no bytes. */

import { setTimeout as sleep } from 'node:timers/promises'
import { encode, listKeys, must, put, send } from '../harness/requests.ts'
import { startServer } from '../harness/server.ts'
import type { Server } from '../harness/server.ts'
import { expect } from '../harness/suite.ts'
import { patterned } from '../harness/tree.ts'
import { Wire } from '../harness/wire.ts'
import type { Case } from './case.ts'

const MiB = 1024 * 1024
const bucket = 'broken'
const uploads = 50
const uploadBytes = 3 * MiB
const atOnce = 10
const goneMs = 60_000

const containerBytes = 16 * MiB
const settings = { 'scm.containerSize': '16MiB', 'om.deletionDelay': '200ms', 'hdds.compactInterval': '200ms' }
const args = Object.entries(settings).flatMap(([name, value]) => ['--set', `${name}=${value}`])

export function breakOffs(directory: string): readonly Case[] {
  return [
    { name: `${uploads} uploads break off anywhere and leave no key`, run: () => breakOff(directory) },
    { name: 'a start later, their bytes are gone too', run: () => garbageIsCollected(directory) },
  ]
}

async function breakOff(directory: string): Promise<string> {
  const server = await startServer({ directory, args })
  await must(send(server, { method: 'PUT', target: `/${bucket}` }))
  await must(put(server, `/${bucket}/whole`, patterned(uploadBytes, 1)))
  for (let first = 0; first < uploads; first += atOnce) {
    await Promise.all(Array.from({ length: atOnce }, (_, i) => one(server, first + i)))
  }
  const keys = await listKeys(server, bucket)
  expect(keys.join() === 'whole', `the bucket holds ${keys.join()}`)
  const used = await usedBytes(server)
  // The leases end with the process that held them: in order here, by their term after a crash.
  expect((await server.stop()) === 0, 'it did not end well')
  return `${Math.round(used / 1e6)} MB of garbage`
}

async function one(server: Server, index: number): Promise<void> {
  const target = `/${bucket}/never-${index}`
  const whole = encode(server, { method: 'PUT', target, body: patterned(uploadBytes, index) })
  const wire = await Wire.open(server)
  await wire.write(whole.subarray(0, Math.floor(((whole.length - 1) * index) / (uploads - 1))))
  // By a reset, or by an end in the middle of the body.
  if (index % 2 === 0) wire.socket.resetAndDestroy()
  else wire.destroy()
  await wire.closed
}

async function garbageIsCollected(directory: string): Promise<string> {
  const server = await startServer({ directory, args })
  try {
    const started = performance.now()
    // What is whole, and what lies in a container that is still being filled.
    for (let used = await usedBytes(server); used > uploadBytes + containerBytes; used = await usedBytes(server)) {
      const waited = performance.now() - started
      expect(waited < goneMs, `after ${Math.round(waited)} ms there are still ${used} bytes`)
      await sleep(100)
    }
    return `after ${Math.round(performance.now() - started)} ms`
  } finally {
    await server.stop()
  }
}

/** Of all disks. */
async function usedBytes({ admin }: Server): Promise<number> {
  const text = await (await fetch(`${admin}/metrics`)).text()
  const values = [...text.matchAll(/^o3_hdds_disk_used_bytes\{[^}]*\} (\S+)$/gm)].map(([, value]) => Number(value))
  expect(values.length > 0, 'the metrics do not say how much the disks hold')
  return values.reduce((sum, value) => sum + value, 0)
}
