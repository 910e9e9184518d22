import { describe, expect, test } from 'vitest'
import { eventually, listenWith, text } from './listening.ts'
import type { Listening, ListeningOptions } from './listening.ts'

const refuse: NonNullable<ListeningOptions['refuse']> = (status, reason, id) => ({
  status,
  headers: ['Content-Type', 'application/xml'],
  body: `<Error><Message>${reason}</Message><RequestId>${id}</RequestId></Error>`,
})

const listening = (options: ListeningOptions = {}): Promise<Listening> =>
  listenWith(async ({ body }) => text(String((await body.all(100)).length)), { refuse, ...options })

const get = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n'

describe('what never becomes a request is refused in the words of the front end', () => {
  test.each<[string, string, number]>([
    ['no HTTP', 'GARBAGE\r\n\r\n', 400],
    ['a header with a space before its colon', 'GET / HTTP/1.1\r\nHost : a\r\n\r\n', 400],
    ['a folded header', 'GET / HTTP/1.1\r\nHost: a\r\nX: 1\r\n 2\r\n\r\n', 400],
    ['a bare line feed', 'GET / HTTP/1.1\nHost: a\n\n', 400],
    ['two lengths', 'PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n', 400],
    ['a length that is none', 'PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: +3\r\n\r\n', 400],
    ['length and chunks', 'PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n', 400],
    ['a coding before chunked', 'PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n', 501],
    ['no host', 'GET / HTTP/1.1\r\n\r\n', 400],
    ['two hosts', 'GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n', 400],
    ['a whole URL as target', 'GET http://evil/x HTTP/1.1\r\nHost: a\r\n\r\n', 400],
    ['an expectation', 'PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nExpect: coffee\r\n\r\n', 417],
    ['a head that is too large', `GET / HTTP/1.1\r\nHost: a\r\nX: ${'x'.repeat(20_000)}\r\n\r\n`, 431],
    ['too many headers', `GET / HTTP/1.1\r\nHost: a\r\n${'a:\r\n'.repeat(300)}\r\n`, 431],
  ])('%s', async (_, request, status) => {
    const { open, metrics } = await listening()
    const client = await open()
    const response = await client.send(request).response()
    expect(response.status).toBe(status)
    expect(response.body).toMatch(/^<Error><Message>.+<\/Message><RequestId>[0-9A-F]{16}<\/RequestId><\/Error>$/)
    expect(response.headers.get('connection')).toBe('close')
    await client.closed()
    expect(metrics.render()).toContain('o3_http_refused_requests_total{mount="test"} 1')
    expect((await (await open()).send(get).response()).status).toBe(200)
  })

  test('a head that does not come in time', async () => {
    const { open } = await listening({ limits: { headersTimeoutMs: 1000 } })
    const client = await open()
    expect((await client.send('GET / HTTP/1.1\r\nHost:').response()).status).toBe(408)
    await client.closed()
  })

  test('a request too many', async () => {
    let answer = (): void => {}
    const { open } = await listenWith(
      async () => {
        await new Promise<void>((resolve) => {
          answer = resolve
        })
        return text('at last')
      },
      { refuse, limits: { maxRequests: 1 } },
    )
    const [first, second] = [await open(), await open()]
    first.send(get)
    await eventually(() => answer.name !== 'answer')
    expect((await second.send(get).response()).status).toBe(503)
    answer()
    expect((await first.response()).body).toBe('at last')
  })

  test('without words of the front end, in plain ones', async () => {
    const { open } = await listenWith(async () => text(''))
    const client = await open()
    const { status, body } = await client.send('GARBAGE\r\n\r\n').response()
    expect([status, body]).toEqual([400, expect.stringMatching(/^the request is not well-formed HTTP \(request /)])
  })
})

test('connections beyond the bound are closed', async () => {
  const { open } = await listening({ limits: { maxConnections: 1 } })
  const first = await open()
  expect((await first.send(get).response()).status).toBe(200)
  const second = await open()
  expect(await second.closed()).toBe('')
  expect((await first.send(get).response()).status).toBe(200)
})

describe('stopping', () => {
  test('lets what is under way finish, closes what is idle, and takes nothing new', async () => {
    let answer = (): void => {}
    const { open, stop } = await listenWith(async ({ target }) => {
      if (target !== '/slow') return text('quick')
      await new Promise<void>((resolve) => {
        answer = resolve
      })
      return text('done')
    })
    const [slow, idle] = [await open(), await open()]
    expect((await idle.send(get).response()).body).toBe('quick')
    slow.send(get.replace('/', '/slow'))
    await eventually(() => answer.name !== 'answer')
    const stopped = stop(10_000)
    expect(await idle.closed()).toBe('')
    await expect(open()).rejects.toThrow('ECONNREFUSED')
    answer()
    const response = await slow.response()
    expect([response.body, response.headers.get('connection')]).toEqual(['done', 'close'])
    await stopped
    await slow.closed()
  })

  test('cuts what does not finish in time', async () => {
    const seen: string[] = []
    const { open, stop, lines } = await listenWith(async (request) => {
      seen.push('asked')
      await request.body.all(100).catch((error: Error) => seen.push(error.message))
      return text('too late')
    })
    const client = await open()
    client.send('PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc')
    await eventually(() => seen.length > 0)
    await stop(50)
    expect(await client.closed()).toBe('')
    expect(seen).toEqual(['asked', 'the client broke off'])
    expect(lines.some(({ message }) => message === 'cutting what did not finish in time')).toBe(true)
  })

  test('twice is stopping once', async () => {
    const { stop } = await listening()
    await Promise.all([stop(), stop()])
  })
})

describe('what is seen of requests', () => {
  test('is counted', async () => {
    const { open, metrics } = await listening()
    const client = await open()
    await client.send('PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc').response()
    await client.send('FROB / HTTP/1.1\r\nHost: a\r\n\r\n').response()
    const shown = metrics.render()
    expect(shown).toContain('o3_http_requests_total{mount="test",method="PUT",status="2xx"} 1')
    expect(shown).toContain('o3_http_received_bytes_total{mount="test"} 3')
    expect(shown).toContain('o3_http_sent_bytes_total{mount="test"} 1')
    expect(shown).toContain('o3_http_requests_underway{mount="test"} 0')
    expect(shown).toContain('o3_http_request_seconds_count{mount="test",method="PUT"} 1')
  })

  test.each([
    ['all', [200, 500]],
    ['errors', [500]],
    ['off', []],
  ] as const)('is logged: %s', async (accessLog, expected) => {
    const { open, lines } = await listenWith(async ({ target }) => text('', target.startsWith('/bad') ? 500 : 200), {
      accessLog,
    })
    const client = await open()
    await client.send('GET /good?X-Amz-Signature=secret HTTP/1.1\r\nHost: a\r\n\r\n').response()
    await client.send('GET /bad HTTP/1.1\r\nHost: a\r\n\r\n').response()
    const logged = lines.filter(({ message }) => message.startsWith('request'))
    expect(logged.map(({ status }) => status)).toEqual(expected)
    expect(JSON.stringify(lines)).not.toContain('secret')
  })
})
