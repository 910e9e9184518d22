/**
 * The ports through which every service touches the world: time, chance, disk, network, tasks. Nothing outside
 * `env/node` reads a clock, opens a file or a socket, or draws a number by itself; that is what lets a whole cluster run
 * from one seed. `env/node` binds them to the machine, `env/sim` to virtual time and a disk that loses what was not
 * synced. Both pass the suites in `env/contracts`.
 */

import type { StoreError } from '../errors.ts'

/** Cancels what it was returned for. Calling it twice, or late, does nothing. */
export type Cancel = () => void

export interface Clock {
  /** Milliseconds since the Unix epoch; may jump. For stamps that people see. */
  wallMs(): number
  /** Milliseconds from an arbitrary start; never goes back. For durations and deadlines. */
  monotonicMs(): number
  /** Runs `action` once, after at least `delayMs`. */
  after(delayMs: number, action: () => void): Cancel
  /** Resolves after at least `delayMs`; rejects with the signal's reason when aborted. */
  sleep(delayMs: number, signal?: AbortSignal): Promise<void>
}

export interface Random {
  /** Cryptographically strong in `env/node`; from the seed in `env/sim`. */
  bytes(length: number): Uint8Array
  /** RFC 9562 version 4. */
  uuid(): string
  /** Uniform in [0, 1). Not for secrets. */
  fraction(): number
}

export interface Task {
  readonly name: string
  /** Settles when the task's function has; never rejects. */
  readonly done: Promise<void>
  cancel(): void
}

export interface Tasks {
  /**
   * Starts a named background activity. A rejection other than the abort reason is a bug and goes to the environment's
   * `onTaskFailure` (the node process stops; the simulator fails the seed).
   */
  spawn(name: string, run: (signal: AbortSignal) => Promise<void>): Task
  /** Runs `action` in the next turn of the event loop, after the I/O callbacks of this one: the place to form batches. */
  nextTurn(action: () => void): void
}

// ---------------------------------------------------------------------------------------------------------- disk

export type OpenMode =
  | 'read' // must exist
  | 'read-write' // must exist
  | 'create' // read-write; must not exist

export interface FileStat {
  readonly kind: 'file' | 'directory'
  readonly sizeBytes: number
}

export interface DiskSpace {
  readonly totalBytes: number
  readonly availableBytes: number
}

/**
 * One open file. Offsets are absolute; there is no cursor. Writes are visible to reads at once and durable only after
 * `sync`. After a failed `sync` the state of the unsynced bytes is unknown and a later success proves nothing
 * (reference: fsyncgate): callers close the file and treat its volume as failed.
 */
export interface DiskFile {
  readonly path: string
  /** Fills `target` from `offset`; returns the bytes read, fewer only at end of file. */
  read(target: Uint8Array, offset: number): Promise<number>
  /** Blocks the loop: only for bytes the caller knows to be in the page cache. Same result as `read`. */
  readNow(target: Uint8Array, offset: number): number
  /** Writes all the pieces in order from `offset` on, or rejects; part of them may then be on the file. */
  write(pieces: readonly Uint8Array[], offset: number): Promise<void>
  /** `fdatasync`: this file's bytes and length are durable. Its name is not (see `Disk.syncDirectory`). */
  sync(): Promise<void>
  truncate(sizeBytes: number): Promise<void>
  size(): Promise<number>
  /** Idempotent. */
  close(): Promise<void>
}

/**
 * A file system. Paths are absolute or relative to the environment's root, with `/`. Failures are `StoreError`:
 * `OutOfSpace` (ENOSPC, EDQUOT), `Damaged` for an I/O error (EIO), `VolumeFailed` when the file system went read-only or
 * away, `Unavailable` when descriptors or memory ran out, `InvalidArgument` for everything that the caller got wrong,
 * with `details.errno` and `details.path`; a missing file is `InvalidArgument` with `errno: 'ENOENT'`.
 */
export interface Disk {
  open(path: string, mode: OpenMode): Promise<DiskFile>
  /** Undefined when there is nothing at `path`. */
  stat(path: string): Promise<FileStat | undefined>
  /** Names (not paths) in byte order. */
  list(directory: string): Promise<readonly string[]>
  /** Like `mkdir -p`. New names are durable after `syncDirectory` of each parent. */
  makeDirectory(path: string): Promise<void>
  /** Atomic; replaces `to`. Durable after `syncDirectory` of both parents. */
  rename(from: string, to: string): Promise<void>
  /** A file, or an empty directory. Durable after `syncDirectory`. */
  remove(path: string): Promise<void>
  /** `fsync` of a directory: the creations, renames and removals in it are durable. */
  syncDirectory(path: string): Promise<void>
  space(path: string): Promise<DiskSpace>
  /** Takes the exclusive lock file of a data directory; rejects with `Busy` (details.pid) while another live process holds it. */
  lock(path: string): Promise<{ release(): Promise<void> }>
}

// ------------------------------------------------------------------------------------------------------- network

export type Address =
  | { readonly kind: 'tcp'; readonly host: string; readonly port: number }
  | { readonly kind: 'unix'; readonly path: string }

/** A byte stream with back-pressure. */
export interface Connection {
  readonly remote: string
  /** Who is at the other end, by the certificate that it has proved to hold. Undefined: it has shown none. */
  readonly peerCertificate?: PeerCertificate | undefined
  /**
   * Resolves when the bytes were taken and the send buffer is below its mark. Pieces are sent as one. They are not
   * copied: nobody may write into them afterwards. `Unavailable` when the connection broke, `Closed` after `close`.
   */
  send(pieces: readonly Uint8Array[]): Promise<void>
  /** One consumer; ends when the peer closes, rejects with `Unavailable` when the connection breaks. */
  readonly received: AsyncIterable<Uint8Array>
  /** Delivers what was sent, as far as the peer takes it within two seconds, and ends both ways. Idempotent. */
  close(): Promise<void>
}

export interface Listener {
  /** The bound address, with the real port where 0 was asked. */
  readonly address: Address
  /** Accepts no more; connections that exist live on. Idempotent. */
  close(): Promise<void>
}

/** What a verified certificate says of its holder. */
export interface PeerCertificate {
  /** The URI in its subject alternative name. */
  readonly name: string
  /** Hexadecimal, upper case. */
  readonly serial: string
}

/** What one end of a secured connection has in hand. A newer one is another object. */
export interface Credentials {
  /** PEM: the certificates of the authorities that are believed. */
  readonly roots: string
  /** Undefined: a stranger, whom only those let in who admit strangers. */
  readonly own?: OwnCertificate
}

export interface OwnCertificate {
  /** The URI in it. */
  readonly name: string
  /** PEM, from the holder's to the root's. */
  readonly chain: string
  /** PEM. */
  readonly privateKey: string
}

export interface SecureOptions {
  /** Asked for every new connection, so that a renewed certificate is in use at once; connections that exist live on. */
  readonly credentials: () => Credentials
  /** Of listeners. Default: refused. Those who are admitted are few at a time, and for half a minute. */
  readonly strangers?: 'admitted' | 'refused'
  /** Whether a certificate counts no more, though it has not expired. */
  readonly isRevoked?: (certificate: PeerCertificate) => boolean
  /** Told of each connection that a listener has refused, and why. */
  readonly onRefused?: (remote: string, reason: StoreError) => void
}

/** Failures are `StoreError`: nobody answers, `Unavailable`; the address is taken, `Busy`; it cannot be bound, `InvalidArgument`. */
export interface Network {
  connect(address: Address, options?: { readonly timeoutMs?: number }): Promise<Connection>
  listen(address: Address, onConnection: (connection: Connection) => void): Promise<Listener>
  /**
   * The same network with mutual TLS 1.3 on each connection: both ends have shown a certificate of an authority that the
   * other believes, and `Connection.peerCertificate` says whose. `connect` resolves when the other end has let us in;
   * `Unauthenticated` when one end does not believe the other, with the reason of whichever refused.
   */
  secured(options: SecureOptions): Network
}

// ------------------------------------------------------------------------------------------------------ together

export interface Env {
  readonly clock: Clock
  readonly random: Random
  readonly tasks: Tasks
  readonly disk: Disk
  readonly network: Network
  /**
   * Marks a named place where a crash would be interesting (`'log.append.before-sync'`). In production it does nothing;
   * crash tests kill the process there, the simulator may crash the node or delay it.
   */
  readonly at: (site: string) => void
}
