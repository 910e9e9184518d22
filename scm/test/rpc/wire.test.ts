import { StoreError } from '@o3/common/errors'
import { Simulation } from '@o3/common/env/sim'
import { defaultRpcLimits } from '@o3/common/rpc'
import type { RpcCall } from '@o3/common/rpc'
import { decode, encode } from '@o3/common/codec/record'
import type { Codec } from '@o3/common/codec/record'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { BlockRange, ContainerInfo, DatanodeInfo, PipelineInfo, Scm } from '../../src/api/api.ts'
import { scmMethods, serveScm } from '../../src/rpc/rpc.ts'
import { overTheWire } from '../wire.ts'
import { calls } from './samples.ts'

test('a registration holds 100,000 containers, which is where a datanode ends', () => {
  const closed = {
    state: 'CLOSED',
    generation: 1,
    usedBytes: 2 ** 30,
    liveBytes: 2 ** 30,
    blockCount: 100_000,
  } as const
  const containers = Array.from({ length: 100_000 }, (_, n) => {
    return { ...closed, id: 10_000_000 + n, contentHash: '0123456789abcdef' }
  })
  const { request } = scmMethods['scm.register.1']
  const bytes = encode(request, { id: 'dn1', address: 'dn1:1', disks: [], containers })
  expect(bytes.length).toBeLessThan(defaultRpcLimits.maxPayloadBytes)
})

const samples = Object.entries(scmMethods).flatMap(([name, method]) => {
  const { request, reply } = calls[name as keyof typeof calls]
  return [
    { name: `${name} request`, codec: method.request as Codec<unknown>, value: request },
    { name: `${name} reply`, codec: method.reply as Codec<unknown>, value: reply },
  ]
})

/** An SCM that answers as the samples do, and remembers what it was asked. */
class SampleScm implements Scm {
  readonly deleted: { readonly blocks: readonly BlockRange[]; readonly requestId: string | undefined }[] = []
  nodes: readonly DatanodeInfo[] = calls['scm.listNodes.1'].reply.items
  containers: readonly ContainerInfo[] = calls['scm.listContainers.1'].reply.items
  pipelines: readonly PipelineInfo[] = calls['scm.listPipelines.1'].reply.items

  async register() {
    const { term, commands } = calls['scm.register.1'].reply
    return { term, commands: commands.items }
  }

  async heartbeat() {
    const { term, commands } = calls['scm.heartbeat.1'].reply
    return { term, commands: commands.items }
  }

  async allocateBlocks() {
    return calls['scm.allocateBlocks.1'].reply
  }

  async deleteBlocks(blocks: readonly BlockRange[], options?: { readonly requestId?: string }) {
    this.deleted.push({ blocks, requestId: options?.requestId })
  }

  async locate() {
    return calls['scm.locate.1'].reply
  }

  async listNodes() {
    return this.nodes
  }

  async listContainers({ after = 0, limit }: { readonly after?: number; readonly limit: number }) {
    return this.containers.filter(({ id }) => id > after).slice(0, limit)
  }

  async closeContainer() {}

  async secretKeys() {
    return calls['scm.secretKeys.1'].reply
  }

  async rotateSecretKey() {
    return calls['scm.rotateSecretKey.1'].reply
  }

  async summary() {
    return calls['scm.summary.1'].reply
  }

  async listPipelines() {
    return this.pipelines
  }

  async closePipeline() {}

  async containerInfo() {
    return calls['scm.containerInfo.1'].reply
  }

  async setOperational() {}

  async safemode() {
    return calls['scm.safemode.1'].reply
  }

  async exitSafemode() {}

  async replicationReport() {
    return calls['scm.replicationReport.1'].reply
  }

  async balancer() {
    return calls['scm.balancer.1'].reply
  }

  async setBalancer() {
    return calls['scm.setBalancer.1'].reply
  }

  async deletedBlocks() {
    return calls['scm.deletedBlocks.1'].reply
  }
}

function remote(scm: Scm, script: (remote: Scm) => Promise<void>): Promise<void> {
  const simulation = new Simulation({ seed: 'scm over the wire' })
  return simulation.run(async () => script(await overTheWire(scm, simulation, simulation.node('scm').boot())))
}

describe('the bytes of SCM on the wire', () => {
  test.each(samples)('are read as they were written: $name', ({ codec, value }) => {
    expect(decode(codec, encode(codec, value))).toEqual(value)
  })

  test('are those of the releases before', async () => {
    const lines = samples.map(({ name, codec, value }) => {
      return `${name}\n  ${Buffer.from(encode(codec, value)).toString('hex')}\n`
    })
    await expect(lines.join('')).toMatchFileSnapshot('testdata/wire.golden.txt')
  })

  test('cut short are refused', () => {
    for (const { name, codec, value } of samples) {
      const bytes = encode(codec, value)
      for (let length = 0; length < bytes.length; length++) {
        expect(() => decode(codec, bytes.subarray(0, length)), `${name}, ${length} bytes`).toThrow(
          expect.objectContaining({ code: 'InvalidArgument' }) as Error,
        )
      }
    }
  })
})

describe('what is too much for one answer', () => {
  test('nodes come in several, and all of them', async () => {
    const scm = new SampleScm()
    const [node] = scm.nodes
    const disks = Array.from({ length: 60 }, () => node!.disks[0]!)
    // In no order, as a registry may have them.
    scm.nodes = Array.from({ length: 3_000 }, (_, n) => ({ ...node!, id: `dn-${(n * 7) % 3_000}`, disks }))
    await remote(scm, async (client) => {
      const found = await client.listNodes()
      expect(new Set(found.map(({ id }) => id)).size).toBe(3_000)
      expect(found).toHaveLength(3_000)
    })
  })

  test('containers come in several, up to the limit', async () => {
    const scm = new SampleScm()
    const [container] = scm.containers
    const datanodes = Array.from({ length: 50 }, (_, n) => `datanode number ${n}`)
    scm.containers = Array.from({ length: 6_000 }, (_, n) => ({ ...container!, id: n + 1, datanodes }))
    await remote(scm, async (client) => {
      expect((await client.listContainers({ limit: 10_000 })).map(({ id }) => id)).toEqual(
        scm.containers.map(({ id }) => id),
      )
      expect(await client.listContainers({ after: 100, limit: 5_500 })).toHaveLength(5_500)
    })
  })

  test('pipelines come in several, and all of them', async () => {
    const scm = new SampleScm()
    const [pipeline] = scm.pipelines
    const members = Array.from({ length: 50 }, (_, n) => `datanode number ${n}`)
    scm.pipelines = Array.from({ length: 6_000 }, (_, n) => ({ ...pipeline!, id: `pipeline-${n + 1}`, members }))
    await remote(scm, async (client) => {
      expect(new Set((await client.listPipelines()).map(({ id }) => id)).size).toBe(6_000)
    })
  })

  test('deletions go in several calls, each a request of its own', async () => {
    const scm = new SampleScm()
    const blocks = Array.from({ length: 250_000 }, (_, n) => ({ container: n + 1, firstLocal: 1, count: 1 }))
    await remote(scm, (client) => client.deleteBlocks(blocks))
    expect(scm.deleted.flatMap((each) => each.blocks)).toEqual(blocks)
    expect(new Set(scm.deleted.map(({ requestId }) => requestId)).size).toBe(3)
  })
})

test('what changes something carries an id, the caller’s or one of its own', async () => {
  const scm = new SampleScm()
  await remote(scm, async (client) => {
    await client.deleteBlocks([], { requestId: 'mine' })
    await client.deleteBlocks([])
  })
  expect(scm.deleted).toEqual([
    { blocks: [], requestId: 'mine' },
    { blocks: [], requestId: expect.stringMatching(/^[0-9a-f-]{36}$/) as string },
  ])
})

describe('what comes over the wire and is none of ours', () => {
  const handlers = serveScm<undefined>(new SampleScm(), { mayHaveKeys: () => true })

  async function ask(method: string, payload: Uint8Array): Promise<string> {
    const signal = new AbortController().signal
    const call: RpcCall<undefined> = {
      method,
      payload,
      body: undefined,
      peer: undefined,
      deadlineMs: undefined,
      signal,
    }
    try {
      await handlers[method]?.(call)
      return 'answered'
    } catch (error) {
      if (error instanceof StoreError) return error.code
      throw error
    }
  }

  test.each(Object.keys(calls) as (keyof typeof calls)[])('to %s', async (name) => {
    const ours = encode(scmMethods[name].request as Codec<unknown>, calls[name].request)
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 100 }), fc.nat({ max: 200 }), async (bytes, at) => {
        const changed = ours.slice()
        changed.set(bytes.subarray(0, changed.length - (at % changed.length)), at % changed.length)
        for (const payload of [bytes, Uint8Array.of(1, ...bytes), changed]) {
          expect(['answered', 'InvalidArgument']).toContain(await ask(name, payload))
        }
      }),
      { numRuns: 300 },
    )
  })
})

describe('a datanode reports for itself only', () => {
  const isDatanode = (peer: string, id: string): boolean => peer === id
  const methods = serveScm<string>(new SampleScm(), { isDatanode })

  test.each(['scm.register.1', 'scm.heartbeat.1'] as const)('%s', async (name) => {
    const { request } = scmMethods[name]
    const sample = calls[name].request
    const ask = (peer: string, payload: Uint8Array) =>
      methods[name]?.({ method: name, payload, peer } as RpcCall<string>)
    const payload = encode(request as Codec<unknown>, sample)
    await expect(ask(sample.id, payload)).resolves.toBeDefined()
    await expect(ask('another', payload)).rejects.toMatchObject({
      code: 'AccessDenied',
      message: expect.stringContaining(`may not report for ${sample.id}`),
    })
  })
})
