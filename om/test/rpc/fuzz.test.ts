import { StoreError } from '@o3/common/errors'
import type { RpcCall } from '@o3/common/rpc'
import { encode } from '@o3/common/codec/record'
import type { Codec } from '@o3/common/codec/record'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { omMethods, serveOm } from '../../src/rpc/rpc.ts'
import { prepare } from '../fixtures/commands.ts'
import { PureOm } from '../fixtures/pure-om.ts'
import { calls, commands } from './samples.ts'

const pure = new PureOm()
prepare(pure)
const handlers = serveOm<undefined>(pure.om)

/** The code of the answer. Anything but an answer or a `StoreError` fails the test. */
async function ask(method: string, payload: Uint8Array): Promise<string> {
  const signal = new AbortController().signal
  const call: RpcCall<undefined> = { method, payload, body: undefined, peer: undefined, deadlineMs: undefined, signal }
  try {
    await handlers[method]?.(call)
    return 'answered'
  } catch (error) {
    if (error instanceof StoreError) return error.code
    throw error
  }
}

const names = Object.keys(omMethods) as (keyof typeof omMethods)[]

const payloads = new Map<string, readonly Uint8Array[]>(
  names.map((name) => [name, [encode(omMethods[name].request as Codec<unknown>, calls[name].request)]]),
)
payloads.set(
  'om.execute.1',
  Object.values(commands).map((command) =>
    encode(omMethods['om.execute.1'].request, { requestId: 'r', term: 1, command }),
  ),
)

/** Commands have many shapes; an audit reads the whole store. */
const runs: Readonly<Record<string, number>> = { 'om.execute.1': 3_000, 'om.audit.1': 30 }

interface Flip {
  readonly at: number
  readonly byte: number
}

const flips = fc.array(fc.record({ at: fc.nat({ max: 400 }), byte: fc.nat({ max: 255 }) }), {
  minLength: 1,
  maxLength: 6,
})

function flipped(bytes: Uint8Array, changes: readonly Flip[]): Uint8Array {
  const copy = bytes.slice()
  for (const { at, byte } of changes) copy[at % copy.length] = byte
  copy[0] = 1
  return copy
}

describe('what comes over the wire and is none of ours', () => {
  test.each(names)('random bytes to %s', async (name) => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 200 }), async (bytes) => {
        expect(await ask(name, bytes)).not.toBe('Internal')
        expect(await ask(name, Uint8Array.of(1, ...bytes))).not.toBe('Internal')
      }),
      { numRuns: 300 },
    )
  })

  test.each(names)('bytes of ours with some changed, to %s', async (name) => {
    await fc.assert(
      fc.asyncProperty(fc.nat(), flips, async (choice, changes) => {
        const all = payloads.get(name) ?? []
        const bytes = all[choice % all.length]
        if (bytes !== undefined) expect(await ask(name, flipped(bytes, changes))).not.toBe('Internal')
      }),
      { numRuns: runs[name] ?? 300 },
    )
  })

  test('lists that claim more than there is', async () => {
    // 2^49 − 1 of them, and nothing behind.
    const claim = [255, 255, 255, 255, 255, 255, 127]
    const keys = encode(omMethods['om.execute.1'].request, {
      requestId: 'r',
      term: 1,
      command: { kind: 'delete-keys', volume: 'v', bucket: 'b', keys: [] },
    })
    expect(await ask('om.execute.1', Uint8Array.of(...keys.subarray(0, -1), ...claim))).toBe('InvalidArgument')
    expect(await ask('om.getParts.1', Uint8Array.of(1, 0, 0, 0, 0, ...claim))).toBe('InvalidArgument')
  })

  test('more part numbers than an upload has', async () => {
    const numbers = Array.from({ length: 200_000 }, (_, n) => n)
    const request = { ...calls['om.getParts.1'].request, numbers }
    expect(await ask('om.getParts.1', encode(omMethods['om.getParts.1'].request, request))).toBe('TooManyEntries')
  })
})
