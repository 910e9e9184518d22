import type { Connection, Disk, DiskFile, Env, Network } from '@o3/common/env'
import type { RaftTransport } from '@o3/ratis/node'

/** What a process asked of its disk and its network since it began. */
export interface Counts {
  readonly syncs: number
  readonly writtenBytes: number
  /** Raft messages to others. */
  readonly messages: number
  /** Hand-overs to a socket. */
  readonly sends: number
  readonly sentBytes: number
}

/** The real environment, and what was asked of it. */
export class CountingEnv {
  readonly env: Env
  private syncs = 0
  private writtenBytes = 0
  private messages = 0
  private sends = 0
  private sentBytes = 0

  constructor(env: Env) {
    this.env = { ...env, disk: this.countingDisk(env.disk), network: this.countingNetwork(env.network) }
  }

  get counts(): Counts {
    const { syncs, writtenBytes, messages, sends, sentBytes } = this
    return { syncs, writtenBytes, messages, sends, sentBytes }
  }

  countingTransport(transport: RaftTransport): RaftTransport {
    return {
      send: (group, message) => {
        this.messages++
        return transport.send(group, message)
      },
      setAddress: (id, address) => transport.setAddress(id, address),
      receive: (group, onMessage) => transport.receive(group, onMessage),
      close: () => transport.close(),
    }
  }

  private countingDisk(disk: Disk): Disk {
    return {
      open: async (path, mode) => this.countingFile(await disk.open(path, mode)),
      stat: (path) => disk.stat(path),
      list: (directory) => disk.list(directory),
      makeDirectory: (path) => disk.makeDirectory(path),
      rename: (from, to) => disk.rename(from, to),
      remove: (path) => disk.remove(path),
      syncDirectory: (path) => disk.syncDirectory(path),
      space: (path) => disk.space(path),
      lock: (path) => disk.lock(path),
    }
  }

  private countingFile(file: DiskFile): DiskFile {
    return {
      path: file.path,
      read: (target, offset) => file.read(target, offset),
      readNow: (target, offset) => file.readNow(target, offset),
      write: (pieces, offset) => {
        for (const piece of pieces) this.writtenBytes += piece.length
        return file.write(pieces, offset)
      },
      sync: () => {
        this.syncs++
        return file.sync()
      },
      truncate: (sizeBytes) => file.truncate(sizeBytes),
      size: () => file.size(),
      close: () => file.close(),
    }
  }

  private countingNetwork(network: Network): Network {
    return {
      connect: async (address, options) => this.countingConnection(await network.connect(address, options)),
      listen: (address, onConnection) =>
        network.listen(address, (connection) => onConnection(this.countingConnection(connection))),
      secured: (options) => this.countingNetwork(network.secured(options)),
    }
  }

  private countingConnection(connection: Connection): Connection {
    return {
      remote: connection.remote,
      peerCertificate: connection.peerCertificate,
      received: connection.received,
      send: (pieces) => {
        this.sends++
        for (const piece of pieces) this.sentBytes += piece.length
        return connection.send(pieces)
      },
      close: () => connection.close(),
    }
  }
}
