/** Connections that stand still, break off, or are used in unusual ways, while a good client works. */

import { setTimeout as sleep } from 'node:timers/promises'
import { encode, get, head, listKeys, must, put, send } from '../harness/requests.ts'
import { peakRssMb } from '../harness/process.ts'
import type { Server } from '../harness/server.ts'
import { expect } from '../harness/suite.ts'
import { patterned } from '../harness/tree.ts'
import { Wire } from '../harness/wire.ts'
import type { Case } from './case.ts'
import { expectRefusal } from './judge.ts'

const MiB = 1024 * 1024
const bucket = 'lines'
const small = patterned(10_000, 20)
const large = patterned(64 * MiB, 21)

export interface ConnectionCases {
  /** They wait for the server's patience to end: all at once, beside the others. */
  readonly slow: readonly Case[]
  readonly others: readonly Case[]
}

export async function badConnections(server: Server): Promise<ConnectionCases> {
  await must(send(server, { method: 'PUT', target: `/${bucket}` }))
  await must(put(server, `/${bucket}/small`, small))
  await must(put(server, `/${bucket}/large`, large))
  return {
    slow: [
      { name: '1,000 half-open connections are reaped; a good client works', run: () => halfOpen(server) },
      { name: 'a head that comes byte by byte is refused', run: () => slowHead(server) },
      { name: 'a body that stands still is refused, and stores nothing', run: () => slowBody(server) },
      { name: 'a body of a byte a second is refused, and stores nothing', run: () => trickle(server) },
      { name: 'a reader of 64 MiB that stands still is cut', run: () => slowReader(server) },
    ],
    others: [
      { name: '400 uploads that fall silent hold up no other', run: () => silentUploads(server) },
      { name: 'ten requests in one piece, answered in order', run: () => pipelined(server) },
      {
        name: 'a refused upload in a pipeline: what follows it is not obeyed as its body',
        run: () => smuggled(server),
      },
      { name: 'HEAD with a body', run: () => headWithBody(server) },
      { name: '100-continue: a denied PUT gets 403 and no 100', run: () => deniedContinue(server) },
      { name: '100-continue: an allowed PUT gets 100 and then 200', run: () => allowedContinue(server) },
    ],
  }
}

async function goodClient(server: Server, during: Promise<unknown>): Promise<number> {
  let over = false
  void during.finally(() => (over = true))
  let slowestMs = 0
  for (let round = 0; !over; round++) {
    const started = performance.now()
    await must(put(server, `/${bucket}/good`, `round ${round}`))
    const { body } = await must(get(server, `/${bucket}/good`))
    expect(body.toString() === `round ${round}`, 'the good client read something else than it wrote')
    slowestMs = Math.max(slowestMs, performance.now() - started)
    await sleep(50)
  }
  return slowestMs
}

async function halfOpen(server: Server): Promise<string> {
  const wires = await Promise.all(Array.from({ length: 1000 }, () => Wire.open(server)))
  for (const [index, wire] of wires.entries())
    void wire.write(index % 2 === 0 ? 'GET / HT' : 'PUT /x HTTP/1.1\r\nHost: ')
  const started = performance.now()
  const slowestMs = await goodClient(server, Promise.all(wires.map(({ closed }) => closed)))
  const seconds = (performance.now() - started) / 1000
  expect(seconds < 30, `the last of them lived for ${seconds} s`)
  return `slowest round trip of the good client ${Math.round(slowestMs)} ms`
}

async function slowHead(server: Server): Promise<void> {
  const wire = await Wire.open(server)
  const { text } = head(server, { method: 'GET', target: `/${bucket}/small` })
  const started = performance.now()
  for (const byte of text.slice(0, 40)) {
    await wire.write(byte)
    if (!wire.isQuiet) break
    await sleep(1000)
  }
  expectRefusal(await wire.answer(), '400 RequestTimeout')
  expect(performance.now() - started < 30_000, 'it took more than 30 s')
  wire.destroy()
}

async function slowBody(server: Server): Promise<void> {
  const wire = await Wire.open(server)
  await wire.write(
    encode(server, { method: 'PUT', target: `/${bucket}/never`, body: patterned(MiB, 1), length: 2 * MiB }),
  )
  expectRefusal(await wire.answer({ timeoutMs: 100_000 }), '400 IncompleteBody|400 RequestTimeout')
  wire.destroy()
  await expectNothingNew(server)
}

async function trickle(server: Server): Promise<void> {
  const wire = await Wire.open(server)
  await wire.write(head(server, { method: 'PUT', target: `/${bucket}/never`, body: large }).text)
  for (let i = 0; i < 100 && wire.isQuiet; i++) {
    await wire.write('x')
    await sleep(1000)
  }
  expectRefusal(await wire.answer({ timeoutMs: 1000 }), '400 IncompleteBody|400 RequestTimeout')
  wire.destroy()
  await expectNothingNew(server)
}

/** More of them than there are chunks of memory for bodies: each has sent enough to hold one. */
async function silentUploads(server: Server): Promise<string> {
  const silent = await Promise.all(Array.from({ length: 400 }, () => Wire.open(server)))
  const some = patterned(200_000, 22)
  const request = { method: 'PUT', target: `/${bucket}/never`, payload: 'UNSIGNED-PAYLOAD', length: large.length }
  await Promise.all(silent.map((wire) => wire.write(Buffer.concat([Buffer.from(head(server, request).text), some]))))
  const started = performance.now()
  await must(put(server, `/${bucket}/large`, large))
  const ms = performance.now() - started
  for (const wire of silent) wire.destroy()
  expect(ms < 30_000, `64 MiB took ${ms} ms`)
  await expectNothingNew(server)
  return `64 MiB beside them in ${Math.round(ms)} ms`
}

async function slowReader(server: Server): Promise<string> {
  const wires = await Promise.all(Array.from({ length: 8 }, () => Wire.open(server)))
  for (const wire of wires) {
    wire.socket.pause()
    await wire.write(encode(server, { method: 'GET', target: `/${bucket}/large` }))
  }
  const started = performance.now()
  // Only reading shows that it was cut; what the kernel holds is less than the object.
  await sleep(80_000)
  const cut = await Promise.all(
    wires.map(async (wire) => {
      wire.socket.resume()
      return wire.answer({ timeoutMs: 20_000 }).then(
        () => false,
        () => true,
      )
    }),
  )
  expect(
    cut.every((each) => each),
    `a reader that stood still for ${performance.now() - started} ms got the whole object`,
  )
  return `peak ${peakRssMb(server.pid)} MB`
}

async function pipelined(server: Server): Promise<void> {
  const wire = await Wire.open(server)
  const requests = Array.from({ length: 5 }, (_, i) => [
    encode(server, { method: 'PUT', target: `/${bucket}/piped`, body: `piped ${i}` }),
    encode(server, { method: 'GET', target: `/${bucket}/piped` }),
  ])
  await wire.write(Buffer.concat(requests.flat()))
  for (let i = 0; i < 5; i++) {
    const [written, read] = [await wire.answer(), await wire.answer()]
    // Whoever pipelines does not wait: a GET may be served before the PUT in front of it, but not answered before it.
    expect(written.status === 200 && written.headers.has('etag'), `the PUT was answered ${written.status}`)
    expect(read.status === 404 || /^piped \d$/.test(read.body.toString()), `the GET was answered ${read.status}`)
  }
  wire.destroy()
  await must(send(server, { method: 'DELETE', target: `/${bucket}/piped` }))
}

/** The body of a request that was refused unread is itself a request: it must not be taken for one. */
async function smuggled(server: Server): Promise<void> {
  const inner = encode(server, { method: 'DELETE', target: `/${bucket}/small` })
  const wire = await Wire.open(server)
  await wire.write(
    encode(server, { method: 'PUT', target: '/no-such-bucket/x', body: Buffer.concat([inner, Buffer.alloc(MiB)]) }),
  )
  expectRefusal(await wire.answer(), '404 NoSuchBucket')
  await wire.closed
  const { body } = await must(get(server, `/${bucket}/small`))
  expect(body.equals(small), 'the object is another one now')
}

async function headWithBody(server: Server): Promise<void> {
  const wire = await Wire.open(server)
  await wire.write(encode(server, { method: 'HEAD', target: `/${bucket}/small`, body: 'a body' }))
  const { status, headers } = await wire.answer({ to: 'HEAD' })
  expect(status === 200 && headers.get('content-length') === String(small.length), `answered ${status}`)
  // The body was not left on the connection as the start of the next request.
  await wire.write(encode(server, { method: 'GET', target: `/${bucket}/small` }))
  const { body } = await must(wire.answer())
  expect(body.equals(small), 'the next answer is not whole')
  wire.destroy()
}

async function deniedContinue(server: Server): Promise<void> {
  const stranger = { ...server, secretKey: 'not the secret' }
  const wire = await Wire.open(server)
  const request = {
    method: 'PUT',
    target: `/${bucket}/never`,
    body: small,
    unsigned: [['expect', '100-continue']] as const,
  }
  await wire.write(head(stranger, request).text)
  const answer = await wire.answer()
  expectRefusal(answer, '403 SignatureDoesNotMatch')
  expect(answer.interim.length === 0, `was told to go on: ${answer.interim.join(', ')}`)
  wire.destroy()
}

async function allowedContinue(server: Server): Promise<void> {
  const wire = await Wire.open(server)
  const request = {
    method: 'PUT',
    target: `/${bucket}/allowed`,
    body: small,
    unsigned: [['expect', '100-continue']] as const,
  }
  await wire.write(head(server, request).text)
  const answer = wire.answer()
  await new Promise((resolve) => wire.socket.once('data', resolve))
  await wire.write(small)
  const { status, interim } = await answer
  expect(status === 200 && interim.join(',') === '100', `answered ${[...interim, status].join(', ')}`)
  wire.destroy()
  await must(send(server, { method: 'DELETE', target: `/${bucket}/allowed` }))
}

async function expectNothingNew(server: Server): Promise<void> {
  const strangers = (await listKeys(server, bucket)).filter((key) => key.startsWith('never'))
  expect(strangers.length === 0, `left behind: ${strangers.join(', ')}`)
}
