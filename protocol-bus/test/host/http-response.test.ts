import { StoreError } from '@o3/common/errors'
import { describe, expect, test } from 'vitest'
import type { HttpResponse } from '../../src/api/api.ts'
import { eventually, listenWith, text } from './listening.ts'

const get = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n'
const head = 'HEAD / HTTP/1.1\r\nHost: a\r\n\r\n'

async function* pieces(...all: string[]): AsyncGenerator<Uint8Array> {
  for (const piece of all) yield Buffer.from(piece)
}

describe('a response', () => {
  test.each<[string, HttpResponse, Partial<HttpResponse>, string | undefined]>([
    ['of text', { status: 200, headers: [], body: 'grün' }, { status: 200 }, 'gr\u00c3\u00bcn'],
    ['of bytes', { status: 201, headers: ['Content-Length', '3'], body: Buffer.from('abc') }, { status: 201 }, 'abc'],
    ['of nothing', { status: 404, headers: [] }, { status: 404 }, ''],
    ['without content', { status: 204, headers: ['ETag', '"x"'], body: 'never sent' }, { status: 204 }, ''],
    ['not modified', { status: 304, headers: ['ETag', '"x"'], body: 'never sent' }, { status: 304 }, ''],
    [
      'as a stream',
      { status: 206, headers: ['Content-Length', '6'], body: pieces('abc', 'def') },
      { status: 206 },
      'abcdef',
    ],
    ['as an empty stream', { status: 200, headers: ['Content-Length', '0'], body: pieces() }, { status: 200 }, ''],
  ])('%s, and the connection goes on', async (_, response, expected, body) => {
    const { open } = await listenWith(async ({ target }) => (target === '/' ? response : text('next')))
    const client = await open()
    expect(await client.send(get).response()).toMatchObject({ ...expected, body })
    expect((await client.send(get.replace('/', '/next')).response()).body).toBe('next')
  })

  test('to HEAD is the head of that to GET', async () => {
    let released = false
    const body = {
      [Symbol.asyncIterator]: () => ({
        next: () => expect.unreachable('a HEAD has no body'),
        return: () => {
          released = true
          return Promise.resolve({ done: true as const, value: undefined })
        },
      }),
    }
    const { open } = await listenWith(async ({ target }) => {
      const headers = ['Content-Length', '12345', 'X-A', '1', 'X-A', '2']
      return target === '/stream' ? { status: 200, headers, body } : { status: 200, headers }
    })
    const client = await open()
    const response = await client.send(head).response({ headOnly: true })
    expect(response.headers.get('content-length')).toBe('12345')
    await client.send(head.replace('/', '/stream')).response({ headOnly: true })
    expect(released).toBe(true)
    expect(await client.send(head).response({ headOnly: true })).toMatchObject({ status: 200 })
  })

  test('has its headers as they were given, duplicates too', async () => {
    const headers = ['x-b', '1', 'X-B', '2', 'ETag', '"e"']
    const { open } = await listenWith(async () => ({ status: 200, headers, body: 'x' }))
    const client = await open()
    const raw = await client.send(get.replace('a\r\n', 'a\r\nConnection: close\r\n')).closed()
    expect(raw).toContain('x-b: 1\r\nX-B: 2\r\nETag: "e"\r\n')
  })

  test.each([['line\r\nbreak'], ['line\nbreak']])('with %j in a header is a bug, and is not sent', async (value) => {
    const { open, lines } = await listenWith(async () => ({ status: 200, headers: ['X-A', value], body: 'x' }))
    const client = await open()
    expect(await client.send(get).closed()).not.toContain('break')
    expect(lines.at(-1)).toMatchObject({ level: 'warn', status: 0 })
  })

  test('that states another length than it has is a bug, and is not sent', async () => {
    const { open, lines } = await listenWith(async () => ({ status: 200, headers: ['Content-Length', '2'], body: 'x' }))
    const client = await open()
    expect(await client.send(get).closed()).toBe('')
    expect(lines.some(({ level }) => level === 'error')).toBe(true)
  })

  test.each([
    ['too short', pieces('abc')],
    ['too long', pieces('abcdef', 'g')],
  ])('whose stream is %s is cut', async (_, body) => {
    const { open } = await listenWith(async () => ({ status: 200, headers: ['Content-Length', '6'], body }))
    const client = await open()
    const raw = await client.send(get).closed()
    expect(raw).toContain('abc')
    expect(raw).not.toContain('g\r\n')
  })

  test('whose stream fails is cut, and the stream is let go', async () => {
    let released = false
    async function* failing(): AsyncGenerator<Uint8Array> {
      try {
        yield Buffer.from('abc')
        throw new StoreError('Damaged', 'rotten')
      } finally {
        released = true
      }
    }
    const { open, lines } = await listenWith(async () => ({
      status: 200,
      headers: ['Content-Length', '6'],
      body: failing(),
    }))
    const client = await open()
    expect(await client.send(get).closed()).toMatch(/abc$/)
    expect(released).toBe(true)
    expect(lines.some(({ message }) => message === 'a response broke off')).toBe(true)
  })

  test('waits for a slow reader, piece by piece, and cuts one that does not read at all', async () => {
    let yielded = 0
    let released = false
    async function* endless(): AsyncGenerator<Uint8Array> {
      try {
        for (;;) {
          yielded++
          yield new Uint8Array(1_000_000)
        }
      } finally {
        released = true
      }
    }
    const { open } = await listenWith(async () => ({ status: 200, headers: [], body: endless() }), {
      limits: { stallMs: 200 },
    })
    const client = await open()
    client.socket.pause()
    client.send(get)
    await eventually(() => released)
    // What the buffers of the connection hold, and no more.
    expect(yielded).toBeLessThan(20)
  })

  test('to a client that went away lets go of the stream', async () => {
    let released = false
    async function* endless(): AsyncGenerator<Uint8Array> {
      try {
        for (;;) yield new Uint8Array(100_000)
      } finally {
        released = true
      }
    }
    const { open } = await listenWith(async () => ({ status: 200, headers: [], body: endless() }))
    const client = await open()
    await client.send(get).until((raw) => raw.length > 200_000)
    client.close()
    await eventually(() => released)
  })
})

test('a front end that throws is answered for', async () => {
  const { open, lines } = await listenWith(
    async () => {
      throw new Error('a bug of the front end')
    },
    { refuse: (status, reason, id) => ({ status, headers: ['X-Id', id], body: `<Error>${reason}</Error>` }) },
  )
  const client = await open()
  expect(await client.send(get).response()).toMatchObject({ status: 500, body: '<Error>internal error</Error>' })
  expect(lines.at(-2)).toMatchObject({ level: 'error', message: 'a front end failed' })
})
