/**
 * The floor of three processes: a leader and two peers with a `FloorLog` each and one connection between leader and peer.
 * What gathers in a turn is one frame; a peer answers each sync with how many commands it holds; a command is committed when
 * two of the three hold it. No terms, no checksums, no indexes, nobody ever fails.
 */

import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import { nodeEnv } from '@o3/common/env/node'
import { CountingEnv } from './counting-env.ts'
import { FloorLog, InOrder } from './floor.ts'
import { serveSubject, type Subject } from './subject.ts'

interface Given {
  readonly directory: string
  readonly id: string
  readonly bytes: number
  readonly firstPort: number
}

const peers = ['b', 'c']

async function openPeer({ directory, id, bytes, firstPort }: Given): Promise<Subject> {
  const counting = new CountingEnv(nodeEnv())
  let leader: Socket | undefined
  const floor = await FloorLog.open(counting.env, {
    path: `${directory}/floor`,
    onDurable: (count) => {
      const answer = Buffer.alloc(4)
      answer.writeUInt32LE(count)
      leader?.write(answer)
    },
  })
  const server = createServer((socket) => {
    leader = socket.setNoDelay(true)
    let rest: Buffer = Buffer.alloc(0)
    socket.on('data', (chunk: Buffer) => {
      rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk])
      let at = 0
      for (; at + bytes <= rest.length; at += bytes) floor.append(rest.subarray(at, at + bytes))
      rest = rest.subarray(at)
    })
  })
  server.listen(firstPort + peers.indexOf(id), '127.0.0.1')
  await once(server, 'listening')
  return {
    write: () => Promise.reject(new Error('only the leader writes')),
    counts: () => counting.counts,
    close: async () => {
      leader?.destroy()
      server.close()
      await floor.close()
    },
  }
}

async function openLeader({ directory, bytes, firstPort }: Given): Promise<Subject> {
  const counting = new CountingEnv(nodeEnv())
  const writers = new InOrder()
  const held = [0, 0, 0]
  const holds = (member: number, count: number): void => {
    held[member] = count
    writers.upTo([...held].sort((x, y) => x - y)[1] ?? 0)
  }
  const floor = await FloorLog.open(counting.env, { path: `${directory}/floor`, onDurable: (count) => holds(0, count) })
  const sockets = await Promise.all(
    peers.map(async (_, at) => {
      const socket = connect(firstPort + at, '127.0.0.1').setNoDelay(true)
      await once(socket, 'connect')
      socket.on('data', (chunk: Buffer) => holds(at + 1, chunk.readUInt32LE(chunk.length - 4)))
      return socket
    }),
  )
  const payload = new Uint8Array(bytes).fill(7)
  let gathered = 0
  const flush = (): void => {
    const frame = Buffer.alloc(gathered * bytes, 7)
    gathered = 0
    for (const socket of sockets) socket.write(frame)
  }
  return {
    write: () => {
      floor.append(payload)
      if (gathered++ === 0) setImmediate(flush)
      return writers.wait()
    },
    counts: () => counting.counts,
    close: async () => {
      for (const socket of sockets) socket.destroy()
      await floor.close()
    },
  }
}

await serveSubject((given: Given) => (given.id === 'a' ? openLeader(given) : openPeer(given)))
