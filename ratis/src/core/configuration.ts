/**
 * Who is in the group. While two sets of voters overlap (joint consensus, thesis §4.3) every decision needs a majority of
 * both. A configuration counts from the moment its entry is appended, committed or not.
 */

import { ByteReader, ByteWriter } from '@o3/common/codec'
import { StoreError } from '@o3/common/errors'
import type { NodeId } from './entry.ts'

export interface Configuration {
  readonly voters: readonly NodeId[]
  /** The voters before the change under way; empty when none is. */
  readonly outgoing: readonly NodeId[]
  /** Receive the log, count for nothing. */
  readonly learners: readonly NodeId[]
  /** Voters of `outgoing` that become learners when the change is over. */
  readonly learnersNext: readonly NodeId[]
  /** Where each member listens. Opaque to the core. */
  readonly addresses: Readonly<Record<NodeId, string>>
}

export const noConfiguration: Configuration = {
  voters: [],
  outgoing: [],
  learners: [],
  learnersNext: [],
  addresses: {},
}

export const isJoint = (configuration: Configuration): boolean => configuration.outgoing.length > 0

/** Each member once: voters of both sets, then learners. */
export function membersOf(configuration: Configuration): readonly NodeId[] {
  const { voters, outgoing, learners } = configuration
  return [...new Set([...voters, ...outgoing, ...learners])]
}

export function isVoter(configuration: Configuration, id: NodeId): boolean {
  return configuration.voters.includes(id) || configuration.outgoing.includes(id)
}

/** The highest value that a majority of each set of voters has reached; `Infinity` never wins over an empty group: that is 0. */
export function quorumValue(configuration: Configuration, valueOf: (id: NodeId) => number): number {
  if (configuration.voters.length === 0) return 0
  const incoming = majorityValue(configuration.voters, valueOf)
  return isJoint(configuration) ? Math.min(incoming, majorityValue(configuration.outgoing, valueOf)) : incoming
}

function majorityValue(voters: readonly NodeId[], valueOf: (id: NodeId) => number): number {
  if (voters.length === 1) return valueOf(voters[0] as NodeId)
  const values = voters.map(valueOf).sort((a, b) => b - a)
  return values[Math.floor(voters.length / 2)] as number
}

export type QuorumResult = 'won' | 'lost' | 'pending'

/** `answerOf`: a vote for, against, or none yet. */
export function quorumResult(
  configuration: Configuration,
  answerOf: (id: NodeId) => boolean | undefined,
): QuorumResult {
  const results = [majorityResult(configuration.voters, answerOf)]
  if (isJoint(configuration)) results.push(majorityResult(configuration.outgoing, answerOf))
  if (results.includes('lost')) return 'lost'
  return results.includes('pending') ? 'pending' : 'won'
}

/** A group without voters never decides anything. */
function majorityResult(voters: readonly NodeId[], answerOf: (id: NodeId) => boolean | undefined): QuorumResult {
  const needed = Math.floor(voters.length / 2) + 1
  let yes = 0
  let no = 0
  for (const id of voters) {
    const answer = answerOf(id)
    if (answer === true) yes++
    else if (answer === false) no++
  }
  if (yes >= needed) return 'won'
  return no > voters.length - needed ? 'lost' : 'pending'
}

/** Behind the 0 that tells a configuration from a command. */
const version = 1

/** | 0 | version 1 | voters | outgoing | learners | learnersNext | addresses: id, address |, lists of UTF-8. */
export function encodeConfiguration(configuration: Configuration): Uint8Array {
  const writer = new ByteWriter(128).u8(0).u8(version)
  const { voters, outgoing, learners, learnersNext, addresses } = configuration
  for (const ids of [voters, outgoing, learners, learnersNext]) writer.list(ids, (each, id) => each.utf8(id))
  writer.list(Object.entries(addresses), (each, [id, address]) => each.utf8(id).utf8(address))
  return writer.finish()
}

/** Throws `Damaged`, or `Incompatible` for a version that this release does not know. */
export function decodeConfiguration(payload: Uint8Array): Configuration {
  const reader = new ByteReader(payload)
  const zero = reader.u8()
  const found = reader.u8()
  if (zero !== 0) throw new StoreError('Damaged', 'this is no configuration')
  if (found !== version) {
    throw new StoreError('Incompatible', `configuration of version ${found}; this release reads version ${version}`)
  }
  const ids = (): readonly NodeId[] => reader.list((each) => each.utf8())
  return {
    voters: ids(),
    outgoing: ids(),
    learners: ids(),
    learnersNext: ids(),
    addresses: Object.fromEntries(reader.list((each) => [each.utf8(), each.utf8()] as const)),
  }
}
