/** What an administrator may say about the store and the host of the front ends. */

import { choice, duration, integer, section, size } from '@o3/common/config'
import type { SectionValues } from '@o3/common/config'
import type { AccessLogLevel } from './host/access-log.ts'
import type { HttpLimits } from './host/http-limits.ts'
import type { ReplicationConfig } from './api/api.ts'
import type { StoreConfig } from './store/store.ts'

export const storeSection = section('The store.', {
  blockSize: size({
    description: 'The longest run of a key in one block.',
    default: '64MiB',
    minimum: '1MiB',
    maximum: '1GiB',
  }),
  maxBody: size({
    description: 'The largest body: a key that is put at once, or a part of one.',
    default: '5GiB',
    minimum: '1MiB',
    maximum: '5TiB',
  }),
  leaseBlocks: integer({
    description: 'Blocks that are leased at once, ahead of need.',
    default: 256,
    minimum: 2,
    maximum: 65_536,
  }),
  memory: size({
    description: 'For the bytes of large bodies on their way in, all together. Who comes when it is used up waits.',
    default: '96MiB',
    minimum: '4MiB',
  }),
  replayMemory: size({
    description:
      'For the bytes of replicated blocks until they are durable, so that a lost pipeline costs no client its upload. Who comes when it is used up goes without.',
    default: '96MiB',
    minimum: '0B',
  }),
})

export const hostSection = section('The listeners of the front ends.', {
  maxConnections: integer({ description: 'Connections beyond it are closed.', default: 8000, minimum: 1 }),
  maxRequests: integer({ description: 'Requests under way beyond it are refused.', default: 4000, minimum: 1 }),
  maxHeader: size({ description: 'The head of one request.', default: '16KiB', minimum: '1KiB', maximum: '1MiB' }),
  headersTimeout: duration({ description: 'For the head of a request to come.', default: '10s', minimum: '1s' }),
  keepAlive: duration({ description: 'Between two requests of a connection.', default: '75s', minimum: '1s' }),
  stall: duration({
    description: 'How long a body or its reader may stand still. A whole request may take as long as it moves.',
    default: '1m',
    minimum: '1s',
  }),
  accessLog: choice({
    description: 'Which requests get a line in the log.',
    of: ['all', 'errors', 'off'],
    default: 'errors',
  }),
})

export type StoreSettings = SectionValues<typeof storeSection>
export type HostSettings = SectionValues<typeof hostSection>

/** Chunks of large bodies: what is written at once, and the unit of `memory`. */
export const chunkSizeBytes = 512 * 1024

/**
 * A block of several replicas that loses its majority before its end is written again from its beginning, out of memory: so a
 * block is no longer than what can be kept. An upload keeps two of them at most, one that is written and one that is being
 * made durable; 96 MiB do for a dozen parts of 8 MiB, the size in which the usual clients send them, and none of them is two
 * blocks. Shorter ones would cost more than they save: each is an open, a commit and an agreement at three members, an extent
 * in its key's row (640 for a body of 5 GiB), and a round trip of its readers. Blocks of one replica are not kept, and as
 * long as `blockSize` says.
 */
const maxReplicatedBlockBytes = 8 * 1024 * 1024

/** `replication`: of buckets whose creator asks for nothing else. */
export function storeConfigOf(settings: StoreSettings, replication: ReplicationConfig): StoreConfig {
  // A block holds whole chunks.
  const blockBytes = Math.ceil(settings.blockSize / chunkSizeBytes) * chunkSizeBytes
  return {
    blockBytes,
    replicatedBlockBytes: Math.min(blockBytes, maxReplicatedBlockBytes),
    replayBytes: settings.replayMemory,
    maxBodyBytes: settings.maxBody,
    leaseBlocks: settings.leaseBlocks,
    replication,
  }
}

export function maxChunksOf({ memory }: StoreSettings): number {
  return Math.floor(memory / chunkSizeBytes)
}

export function httpLimitsOf(settings: HostSettings): HttpLimits {
  return {
    maxConnections: settings.maxConnections,
    maxRequests: settings.maxRequests,
    maxHeaderBytes: settings.maxHeader,
    headersTimeoutMs: settings.headersTimeout,
    keepAliveMs: settings.keepAlive,
    stallMs: settings.stall,
    stallBytes: 4096,
    lingerBytes: 16 * 1024 * 1024,
    lingerMs: 5_000,
  }
}

export function accessLogOf({ accessLog }: HostSettings): AccessLogLevel {
  return accessLog
}
