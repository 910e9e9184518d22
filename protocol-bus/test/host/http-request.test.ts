import { isStoreError } from '@o3/common/errors'
import { describe, expect, test } from 'vitest'
import type { HttpRequest } from '../../src/api/api.ts'
import type { RequestBody } from '../../src/host/request-body.ts'
import { eventually, listenWith, text } from './listening.ts'

const codeOf = (error: unknown): string => (isStoreError(error) ? error.code : String(error))

const put = (headers: string, body = ''): string => `PUT /k HTTP/1.1\r\nHost: a\r\n${headers}\r\n\r\n${body}`

describe('what a front end sees', () => {
  test('target and headers, byte for byte and in order, duplicates too', async () => {
    const seen: HttpRequest[] = []
    const { open } = await listenWith(async (request) => {
      seen.push(request)
      return text('')
    })
    const client = await open()
    const target = '/a%zz//../%2F?x=%&y&x=2'
    client.send(`GET ${target} HTTP/1.1\r\nhost: A\r\nX-a: 1\r\nx-A: 2\r\n__proto__: p\r\nX-Empty:\r\n\r\n`)
    expect((await client.response()).status).toBe(200)
    const [request] = seen
    expect(request).toMatchObject({ method: 'GET', target, remoteAddress: '127.0.0.1' })
    expect(request!.rawHeaders).toEqual(['host', 'A', 'X-a', '1', 'x-A', '2', '__proto__', 'p', 'X-Empty', ''])
    expect(request!.body.length).toBe(0)
    expect(request!.id).toMatch(/^[0-9A-F]{16}$/)
  })

  test.each(['GET', 'HEAD', 'PUT', 'POST', 'DELETE', 'PATCH', 'OPTIONS', 'PROPFIND', 'MKCOL', 'LOCK'])(
    'the method %s',
    async (method) => {
      const { open } = await listenWith(async (request) => text(request.method))
      const client = await open()
      client.send(`${method} / HTTP/1.1\r\nHost: a\r\nContent-Type: ;;not/a/type\r\n\r\n`)
      const { status, headers } = await client.response({ headOnly: method === 'HEAD' })
      expect([status, headers.get('content-length')]).toEqual([200, String(method.length)])
    },
  )

  test('request ids that differ', async () => {
    const { open } = await listenWith(async (request) => text(request.id))
    const client = await open()
    const ids = new Set<string>()
    for (let i = 0; i < 50; i++) {
      ids.add((await client.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n').response()).body)
    }
    expect(ids.size).toBe(50)
  })

  test('requests that come before the answer to the one before', async () => {
    const { open } = await listenWith(async (request) => {
      const body = await request.body.all(100)
      return text(`${request.target}:${body.length}`)
    })
    const client = await open()
    client.send(`${put('Content-Length: 3', 'abc')}GET /2 HTTP/1.1\r\nHost: a\r\n\r\n${put('Content-Length: 1', 'x')}`)
    expect([await client.response(), await client.response(), await client.response()].map(({ body }) => body)).toEqual(
      ['/k:3', '/2:0', '/k:1'],
    )
  })
})

describe('a body taken whole', () => {
  const echo = async ({ body }: HttpRequest) => {
    try {
      return text(Buffer.from(await body.all(10)).toString('latin1'))
    } catch (error) {
      return text(codeOf(error), 400)
    }
  }

  test.each([
    ['with its length', put('Content-Length: 5', 'hello'), 200, 'hello'],
    ['of no bytes', put('Content-Length: 0'), 200, ''],
    ['without a length', put(''), 200, ''],
    ['in chunks', put('Transfer-Encoding: chunked', '2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n'), 200, 'hello'],
    ['in no chunk', put('Transfer-Encoding: chunked', '0\r\n\r\n'), 200, ''],
    ['of all bytes allowed', put('Content-Length: 10', '0123456789'), 200, '0123456789'],
    ['that says it is too long', put('Content-Length: 11'), 400, 'TooLarge'],
    ['that turns out too long', put('Transfer-Encoding: chunked', '6\r\n012345\r\n5\r\n6789a\r\n'), 400, 'TooLarge'],
  ])('%s', async (_, request, status, body) => {
    const { open } = await listenWith(echo)
    const client = await open()
    expect(await client.send(request).response()).toMatchObject({ status, body })
  })

  test('in pieces that come one by one', async () => {
    const { open } = await listenWith(echo)
    const client = await open()
    client.send(put('Content-Length: 6', 'a'))
    for (const piece of 'bcdef') {
      await new Promise((resolve) => setImmediate(resolve))
      client.send(piece)
    }
    expect((await client.response()).body).toBe('abcdef')
  })

  test('that breaks off', async () => {
    const outcomes: string[] = []
    const { open } = await listenWith(async ({ body }) => {
      await body.all(10).catch((error: unknown) => outcomes.push(codeOf(error)))
      return text('')
    })
    const client = await open()
    client.send(put('Content-Length: 6', 'abc'))
    client.socket.end()
    await eventually(() => outcomes.length > 0)
    expect(outcomes).toEqual(['IncompleteBody'])
  })

  test('is refused when its chunks are no chunks', async () => {
    const { open } = await listenWith(echo)
    const client = await open()
    client.send(put('Transfer-Encoding: chunked', '3\r\nabc\r\nnonsense\r\n'))
    expect(await client.response()).toMatchObject({ status: 400, body: 'IncompleteBody' })
    await client.closed()
  })
})

describe('a body taken as a stream', () => {
  test('comes whole and in order, with its end', async () => {
    const { open } = await listenWith(async ({ body }) => {
      let sum = 0
      let size = 0
      for await (const piece of body.stream()) {
        for (const byte of piece) sum = (sum * 31 + byte) % 1_000_003
        size += piece.length
      }
      return text(`${size} ${sum}`)
    })
    const bytes = Uint8Array.from({ length: 3_000_000 }, (_, i) => i % 253)
    let sum = 0
    for (const byte of bytes) sum = (sum * 31 + byte) % 1_000_003
    const client = await open()
    client.send(put(`Content-Length: ${bytes.length}`)).send(bytes)
    expect((await client.response()).body).toBe(`3000000 ${sum}`)
    client.send(put('Transfer-Encoding: chunked'))
    for (let at = 0; at < bytes.length; at += 100_000) {
      client
        .send(`${(100_000).toString(16)}\r\n`)
        .send(bytes.subarray(at, at + 100_000))
        .send('\r\n')
    }
    expect((await client.send('0\r\n\r\n').response()).body).toBe(`3000000 ${sum}`)
    expect((await client.send(put('Content-Length: 0')).response()).body).toBe('0 0')
  })

  test('joins tiny pieces that wait', async () => {
    const sizes: number[] = []
    const { open } = await listenWith(async ({ body }) => {
      for await (const piece of body.stream()) {
        sizes.push(piece.length)
        await new Promise((resolve) => setImmediate(resolve))
      }
      return text('')
    })
    const client = await open()
    client.send(put('Transfer-Encoding: chunked', `${'1\r\nx\r\n'.repeat(1000)}0\r\n\r\n`))
    await client.response()
    expect(sizes.reduce((sum, size) => sum + size, 0)).toBe(1000)
    expect(sizes.length).toBeLessThan(100)
  })

  test('holds the client back while nobody reads', async () => {
    let received = (): number => 0
    let goOn = (): void => {}
    const { open } = await listenWith(async ({ body }) => {
      received = () => (body as RequestBody).received
      const pieces = body.stream()[Symbol.asyncIterator]()
      let size = (await pieces.next()).value.length as number
      await new Promise<void>((resolve) => {
        goOn = resolve
      })
      for (let next = await pieces.next(); next.done !== true; next = await pieces.next()) size += next.value.length
      return text(String(size))
    })
    const client = await open()
    const bytes = new Uint8Array(30_000_000)
    client.send(put(`Content-Length: ${bytes.length}`)).send(bytes)
    await eventually(() => received() > 128 * 1024)
    const plateau = await settledValue(received)
    expect(plateau).toBeLessThan(2_000_000)
    goOn()
    expect((await client.response()).body).toBe('30000000')
  })

  test('that breaks off gives what came, then says so, and the signal aborts', async () => {
    const seen: unknown[] = []
    const { open } = await listenWith(async (request) => {
      const { signal } = request
      signal.addEventListener('abort', () => seen.push('aborted'))
      try {
        for await (const piece of request.body.stream()) seen.push(Buffer.from(piece).toString())
      } catch (error) {
        seen.push(codeOf(error))
      }
      return text('')
    })
    const client = await open()
    client.send(put('Content-Length: 6', 'abc'))
    await eventually(() => seen.length > 0)
    client.close()
    await eventually(() => seen.length === 3)
    expect(new Set(seen)).toEqual(new Set(['abc', 'aborted', 'IncompleteBody']))
  })

  test('that stands still is given up, and the client hears of it', async () => {
    const { open } = await listenWith(
      async ({ body }) => {
        const pieces = body.stream()[Symbol.asyncIterator]()
        for (;;) {
          try {
            if ((await pieces.next()).done === true) return text('complete')
          } catch (error) {
            return text(codeOf(error), 408)
          }
        }
      },
      { limits: { stallMs: 100, stallBytes: 10 } },
    )
    const client = await open()
    client.send(put('Content-Length: 1000', 'abc'))
    expect(await client.response()).toMatchObject({ status: 408, body: 'IncompleteBody' })
    await client.closed()
  })

  test('cannot be read a second time', async () => {
    const { open, lines } = await listenWith(async ({ body }) => {
      await body.all(10)
      body.stream()
      return text('')
    })
    const client = await open()
    expect((await client.send(put('Content-Length: 1', 'x')).response()).status).toBe(500)
    expect(lines).toContainEqual(expect.objectContaining({ level: 'error', message: 'a front end failed' }))
  })
})

describe('Expect: 100-continue', () => {
  const expecting = put('Content-Length: 3\r\nExpect: 100-continue')

  test('is answered when the body is asked for', async () => {
    const { open } = await listenWith(async ({ body }) => text(Buffer.from(await body.all(10)).toString()))
    const client = await open()
    expect((await client.send(expecting).response()).status).toBe(100)
    expect((await client.send('abc').response()).body).toBe('abc')
  })

  test('is not answered when nobody wants the body, and the connection ends', async () => {
    const { open } = await listenWith(async () => text('no', 403))
    const client = await open()
    const response = await client.send(expecting).response()
    expect(response).toMatchObject({ status: 403, body: 'no' })
    expect(response.headers.get('connection')).toBe('close')
    expect(await client.closed()).toBe('')
  })
})

describe('a body that nobody reads', () => {
  test('is dropped when it is small, and the connection goes on', async () => {
    const { open } = await listenWith(async ({ target }) => text(target))
    const client = await open()
    client.send(put('Content-Length: 60000', 'x'.repeat(30_000)))
    expect((await client.response()).headers.get('connection')).toBe('keep-alive')
    client.send('x'.repeat(30_000)).send('GET /next HTTP/1.1\r\nHost: a\r\n\r\n')
    expect((await client.response()).body).toBe('/next')
  })

  test('is cut when it is large, after the client has its answer', async () => {
    const { open } = await listenWith(async () => text('not that', 400))
    const client = await open()
    client.send(put('Content-Length: 3000000')).send(new Uint8Array(2_000_000))
    const response = await client.response()
    expect(response).toMatchObject({ status: 400, body: 'not that' })
    expect(response.headers.get('connection')).toBe('close')
    await client.closed()
  })

  test('is cut too when it was read in part', async () => {
    const { open } = await listenWith(async ({ body }) => {
      for await (const piece of body.stream()) return text(String(piece.length > 0))
      return text('')
    })
    const client = await open()
    client.send(put('Transfer-Encoding: chunked', '3\r\nabc\r\n'))
    expect((await client.response()).body).toBe('true')
    await client.closed()
  })
})

/** The value once it no longer changes for some turns of the loop and the kernel. */
async function settledValue(read: () => number): Promise<number> {
  for (let same = 0, before = read(); ; before = read()) {
    await new Promise((resolve) => setImmediate(resolve))
    same = read() === before ? same + 1 : 0
    if (same === 500) return before
  }
}
