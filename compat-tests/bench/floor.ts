/**
 * The floor of the benchmark: what bare `node:http` on this machine can do when it only does the inescapable. PUT:
 * hash (MD5) and append to one file, answered after a group-committed `fdatasync`. GET: read the bytes of one file and
 * send them. No signature, no names, no index, no checksum. Prints its port.
 */

import { createHash } from 'node:crypto'
import { fdatasync, openSync, read, writeSync, writev } from 'node:fs'
import { createServer } from 'node:http'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { join } from 'node:path'

const directory = process.argv[2]
const readBytes = Number(process.argv[3] ?? 4096)
if (directory === undefined) throw new Error('usage: floor.ts DIRECTORY BYTES_PER_READ')

const pieceBytes = 1024 * 1024
const appended = openSync(join(directory, 'floor.log'), 'w+')
const served = openSync(join(directory, `floor-${readBytes}.bytes`), 'w+')
for (let at = 0; at < readBytes; at += pieceBytes) {
  writeSync(served, Buffer.alloc(Math.min(pieceBytes, readBytes - at), 7), 0, undefined, at)
}

// Wraps round, so that a run of any length takes bounded disk space.
const wrapBytes = 8 * 1024 ** 3
let end = 0
let waiting: (() => void)[] = []
let syncing = false

function append(pieces: Buffer[], done: () => void): void {
  const at = end
  for (const piece of pieces) end += piece.length
  if (end > wrapBytes) end = 0
  writev(appended, pieces, at, (error) => {
    if (error !== null) throw error
    done()
  })
}

/** One sync in flight; all that arrived meanwhile share the next. */
function sync(done?: () => void): void {
  if (done !== undefined) waiting.push(done)
  if (syncing || waiting.length === 0) return
  syncing = true
  const group = waiting
  waiting = []
  fdatasync(appended, (error) => {
    if (error !== null) throw error
    syncing = false
    for (const each of group) each()
    sync()
  })
}

function put(request: IncomingMessage, response: ServerResponse): void {
  const hash = createHash('md5')
  let gathered: Buffer[] = []
  let gatheredBytes = 0
  let writing = 0
  let ended = false
  const finish = (): void => {
    if (!ended || writing > 0) return
    sync(() => {
      response.writeHead(200, ['etag', `"${hash.digest('hex')}"`, 'content-length', '0'])
      response.end()
    })
  }
  const flush = (): void => {
    if (gatheredBytes === 0) return
    writing += 1
    if (writing >= 2) request.pause()
    const pieces = gathered
    gathered = []
    gatheredBytes = 0
    append(pieces, () => {
      writing -= 1
      request.resume()
      finish()
    })
  }
  request.on('data', (chunk: Buffer) => {
    hash.update(chunk)
    gathered.push(chunk)
    gatheredBytes += chunk.length
    if (gatheredBytes >= pieceBytes) flush()
  })
  request.on('end', () => {
    ended = true
    flush()
    finish()
  })
}

function get(response: ServerResponse): void {
  response.writeHead(200, ['content-length', String(readBytes)])
  const next = (at: number): void => {
    const length = Math.min(pieceBytes, readBytes - at)
    read(served, Buffer.allocUnsafeSlow(length), 0, length, at, (error, _, buffer) => {
      if (error !== null) throw error
      if (at + length === readBytes) return void response.end(buffer)
      if (response.write(buffer)) next(at + length)
      else response.once('drain', () => next(at + length))
    })
  }
  next(0)
}

const server = createServer({ highWaterMark: 256 * 1024, noDelay: true }, (request, response) => {
  if (request.method === 'PUT') put(request, response)
  else get(response)
})
server.listen(0, '127.0.0.1', () => {
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  process.stdout.write(`floor ${address.port}\n`)
})
process.on('SIGTERM', () => process.exit(0))
