import { execFile } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { inspect, promisify } from 'node:util'
import { afterAll, describe, expect, test, vi } from 'vitest'
import { NodeClock } from '../../src/env/node/node-clock.ts'
import { StoreError } from '../../src/errors.ts'
import { Secret, createLogger, nullLogger } from '../../src/log/log.ts'
import type { LogLevel, RootLogger } from '../../src/log/log.ts'
import { prettyLine } from '../../src/log/pretty.ts'

const clock = { wallMs: () => Date.UTC(2026, 0, 2, 3, 4, 5, 678), after: () => () => {} }
const folder = mkdtempSync(join(tmpdir(), 'o3-log-'))
afterAll(() => rmSync(folder, { recursive: true }))

function collecting(level: LogLevel = 'debug'): { log: RootLogger; records: () => unknown[] } {
  const lines: string[] = []
  const log = createLogger({ level, destination: (line) => lines.push(line), clock })
  return { log, records: () => lines.map((line) => JSON.parse(line)) }
}

describe('a line', () => {
  test('has level, time, fields and message', () => {
    const { log, records } = collecting()
    log.info({ bucket: 'b', bytes: 3 }, 'stored')
    expect(records()).toEqual([{ level: 'info', time: clock.wallMs(), bucket: 'b', bytes: 3, message: 'stored' }])
  })

  test('of a child has the fields of its parents', () => {
    const { log, records } = collecting()
    log.child({ service: 'om' }).child({ shard: 0 }).warn({ key: 'k' }, 'slow')
    expect(records()).toMatchObject([{ level: 'warn', service: 'om', shard: 0, key: 'k', message: 'slow' }])
  })

  test('shows an error with its code, stack and cause', () => {
    const { log, records } = collecting()
    const error = new StoreError('VolumeFailed', 'the disk is gone', { cause: new Error('EIO') })
    log.error({ error }, 'failed')
    expect(records()).toMatchObject([{ error: { code: 'VolumeFailed', stack: expect.stringContaining('EIO') } }])
  })

  test.each([
    ['debug', ['debug', 'info', 'warn', 'error']],
    ['warn', ['warn', 'error']],
    ['silent', []],
  ] as const)('is written from level %s on', (level, expected) => {
    const { log, records } = collecting(level)
    for (const each of ['debug', 'info', 'warn', 'error'] as const) log[each]({}, each)
    expect(records()).toMatchObject(expected.map((message) => ({ message })))
  })

  test('of the null logger goes nowhere', () => {
    expect(nullLogger.child({ a: 1 })).toBe(nullLogger)
    expect(() => nullLogger.error({}, 'x')).not.toThrow()
  })
})

describe('a secret', () => {
  const secret = new Secret('hunter2')

  test('is shown by no way of printing', () => {
    const { log, records } = collecting()
    log.info({ secret, deep: { list: [secret] } }, `${secret}`)
    const shown = [
      String(secret),
      `${secret}`,
      JSON.stringify({ secret }),
      inspect({ secret }),
      JSON.stringify(records()),
    ]
    for (const text of shown) {
      expect(text).not.toContain('hunter2')
      expect(text).toContain('[secret]')
    }
    expect(Object.keys(secret)).toEqual([])
  })

  test('is revealed when asked', () => {
    expect(secret.reveal()).toBe('hunter2')
  })
})

test.each([
  ['a plain line', { message: 'ready', port: 9878 }, '03:04:05.678 INFO  ready  port=9878\n'],
  ['text that needs quotes', { message: 'x', key: 'a b' }, '03:04:05.678 INFO  x  key="a b"\n'],
  [
    'an error',
    { message: 'x', error: { message: 'no', stack: 'Error: no\n  at f' } },
    '03:04:05.678 INFO  x  error="no"\n    Error: no\n      at f\n',
  ],
])('the pretty form of %s', (_, fields, expected) => {
  expect(prettyLine(`${JSON.stringify({ level: 'info', time: clock.wallMs(), ...fields })}\n`)).toBe(expected)
})

test('what is not a record stays as it is in the pretty form', () => {
  expect(prettyLine('hello\n')).toBe('hello\n')
  expect(prettyLine('{oops\n')).toBe('{oops\n')
})

describe('a file', () => {
  test('has every line after a flush, in order, and is appended to', async () => {
    const path = join(folder, 'made', 'o3.log')
    const messages = Array.from({ length: 3000 }, (_, i) => `line ${i}`)
    for (const half of [messages.slice(0, 1500), messages.slice(1500)]) {
      const log = createLogger({ level: 'info', destination: { path }, clock })
      for (const message of half) log.info({}, message)
      await log.flush()
    }
    const lines = readFileSync(path, 'utf8').trimEnd().split('\n')
    expect(lines.map((line) => JSON.parse(line).message)).toEqual(messages)
  })

  test('gets lines without a flush, a moment later', async () => {
    const path = join(folder, 'later.log')
    createLogger({ level: 'info', destination: { path }, clock: new NodeClock() }).info({}, 'hello')
    await vi.waitFor(() => expect(readFileSync(path, 'utf8')).toContain('hello'), { timeout: 5000 })
  })

  test('that takes nothing is complained about once, and holds up neither flush nor exit', async ({ skip }) => {
    if (!existsSync('/dev/full')) skip('this system has no /dev/full')
    const program = `
      import { createLogger } from ${JSON.stringify(new URL('../../src/log/log.ts', import.meta.url).href)}
      const clock = { wallMs: () => 0, after: () => () => {} }
      const log = createLogger({ level: 'info', destination: { path: '/dev/full' }, clock })
      for (let i = 0; i < 3; i++) {
        log.info({}, 'x')
        await log.flush()
      }`
    const run = promisify(execFile)(process.execPath, ['--input-type=module', '-e', program], { timeout: 15_000 })
    const { stderr } = await run
    expect(stderr.match(/the log cannot be written: ENOSPC\n/g)).toHaveLength(1)
  })
})
