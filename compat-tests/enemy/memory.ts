/** Many large uploads at once: the server's memory does not grow with them. */

import { peakRssMb } from '../harness/process.ts'
import { head, listKeys, must, send } from '../harness/requests.ts'
import type { Server } from '../harness/server.ts'
import { expect } from '../harness/suite.ts'
import { Wire } from '../harness/wire.ts'
import type { Case } from './case.ts'

const GiB = 1024 ** 3
const connections = 64
const bucket = 'memory'
/** Whichever comes first; then all of them break off. The disk of a test machine is not the subject. */
const bound = { ms: 20_000, bytes: 4 * GiB }
const limitMb = 400

export function memory(server: Server): readonly Case[] {
  return [{ name: `${connections} uploads of 1 GiB at once: at most ${limitMb} MB`, run: () => uploads(server) }]
}

async function uploads(server: Server): Promise<string> {
  await must(send(server, { method: 'PUT', target: `/${bucket}` }))
  const piece = Buffer.alloc(1024 * 1024, 'o3')
  const started = performance.now()
  let sent = 0
  const one = async (index: number): Promise<void> => {
    const wire = await Wire.open(server)
    const request = { method: 'PUT', target: `/${bucket}/never-${index}`, payload: 'UNSIGNED-PAYLOAD', length: GiB }
    await wire.write(head(server, request).text)
    let left = GiB - 1
    while (left > 0 && sent < bound.bytes && performance.now() - started < bound.ms) {
      if (!wire.isQuiet) {
        const { status, body } = await wire.answer()
        throw new Error(`an upload under way was answered ${status}\n${body.toString()}`)
      }
      const bytes = piece.subarray(0, Math.min(left, piece.length))
      await wire.write(bytes)
      left -= bytes.length
      sent += bytes.length
    }
    wire.destroy()
    await wire.closed
  }
  await Promise.all(Array.from({ length: connections }, (_, index) => one(index)))
  const seconds = (performance.now() - started) / 1000
  const keys = await listKeys(server, bucket)
  expect(keys.length === 0, `left behind: ${keys.join(', ')}`)
  const peak = peakRssMb(server.pid)
  const figure = `peak ${peak} MB, ${Math.round(sent / 1e6 / seconds)} MB/s`
  expect(peak <= limitMb, figure)
  return figure
}
