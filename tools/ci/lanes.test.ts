/** What the build prints of its lanes: the end of its log is all that is left of a long one. */

import { spawn } from 'node:child_process'
import type { ChildProcessByStdio } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import { afterEach, beforeEach, expect, test } from 'vitest'

const library = join(import.meta.dirname, '../../.ci/lanes.sh')
let logs: string

beforeEach(() => {
  logs = mkdtempSync(join(tmpdir(), 'o3-lanes-'))
})
afterEach(() => rmSync(logs, { recursive: true }))

function bash(script: string): ChildProcessByStdio<null, Readable, Readable> {
  const whole = `set -euo pipefail; logs=${logs}; . ${library}; trap end_lanes EXIT\n${script}`
  return spawn('bash', ['-c', whole], { stdio: ['ignore', 'pipe', 'pipe'] })
}

/** A build of these lanes. Durations are left out. */
async function build(script: string): Promise<{ readonly code: number; readonly out: string }> {
  const child = bash(`${script}\nsummary`)
  const [[code], out, err] = await Promise.all([
    once(child, 'close') as Promise<[number]>,
    text(child.stdout),
    text(child.stderr),
  ])
  expect(err).toBe('')
  return { code, out: out.replaceAll(/\(\d+ s\)/g, '(N s)') }
}

/** From its heading to the next. */
function section(out: string, heading: string): string {
  return (out.split(/^=== /m).find((part) => part.startsWith(`${heading}\n`)) ?? '').slice(heading.length + 1)
}

test.each([
  ['its own words', `sh -c 'echo "3 passed, 0 failed"; echo "4 passed, 0 failed"'`, '7 passed, 0 failed'],
  ["vitest's words", `echo '      Tests  5 passed | 2 skipped (7)'`, '5 passed, 0 failed'],
  ["vitest's words, with failures", `sh -c 'echo " Tests  1 failed | 5 passed (6)"; exit 1'`, '5 passed, 1 failed'],
  ['no words', 'true', '1 passed, 0 failed'],
  ['no words, and a failure', 'false', '0 passed, 1 failed'],
  ['good words and a bad end', `sh -c 'echo "3 passed, 0 failed"; exit 1'`, '3 passed, 1 failed'],
])('a lane counts by %s', async (_, command, expected) => {
  const { code, out } = await build(`lane one ${command}`)
  expect(section(out, 'summary')).toBe(`one: ${expected} (N s)\n${expected}\n`)
  expect(code).toBe(expected.endsWith(' 0 failed') ? 0 : 1)
})

test('lanes side by side are printed whole, and what they came to is added up', async () => {
  const talk = (name: string): string =>
    `lane ${name} sh -c 'for n in $(seq 2000); do echo ${name} $n; done; echo "2 passed, 0 failed"'`
  const { code, out } = await build(`a() { ${talk('a1')}; ${talk('a2')}; }; b() { ${talk('b1')}; }; side_by_side a b`)
  for (const name of ['a1', 'a2', 'b1']) {
    const lines = section(out, name).trimEnd().split('\n')
    expect(lines.filter((line) => line.startsWith(`${name} `))).toHaveLength(2000)
    expect(lines).toHaveLength(2001)
  }
  expect(section(out, 'summary')).toMatch(/^(?:[ab]\d: 2 passed, 0 failed \(N s\)\n){3}6 passed, 0 failed\n$/)
  expect({ code, failures: section(out, 'failures') }).toEqual({ code: 0, failures: '' })
})

test('a track that breaks off has failed', async () => {
  const { code, out } = await build('a() { lane one true; exit 3; lane two true; }; side_by_side a\nlane three true')
  expect(section(out, 'failures')).toBe('--- track-a\nFAIL  it broke off: lanes are missing\n\n')
  expect({ code, last: out.trimEnd().split('\n').at(-1) }).toEqual({ code: 1, last: '2 passed, 1 failed' })
})

test('a lane that this machine cannot run is skipped, with the reason', async () => {
  const { code, out } = await build('no() { echo no ip here; return 1; }; lane_if no one true; lane two true')
  expect(section(out, 'summary')).toBe(
    'one: skipped: this machine cannot run it: no ip here\ntwo: 1 passed, 0 failed (N s)\n1 passed, 0 failed\n',
  )
  expect(code).toBe(0)
})

test('a failure is told again before the summary, with its seed and what was counted', async () => {
  const chaos = `echo 'chaos: seed 1a2b; ready after 1 s'; seq 50; echo 'FAIL  a key is lost'; seq 101 150`
  const ends = `echo 'ledger: kills 4'; echo '2 passed, 1 failed'; exit 1`
  const { code, out } = await build(`lane chaos sh -c "${chaos}; ${ends}"\nlane after true`)
  const told = Array.from({ length: 15 }, (_, n) => n + 101).join('\n')
  const dealt = ['chaos: seed 1a2b; ready after 1 s', 'ledger: kills 4']
  expect(section(out, 'failures')).toBe(`--- chaos\nFAIL  a key is lost\n${told}\n${dealt.join('\n')}\n\n`)
  expect(section(out, 'summary')).toBe(
    `chaos: 2 passed, 1 failed (N s)\n  ${dealt.join('\n  ')}\nafter: 1 passed, 0 failed (N s)\n3 passed, 1 failed\n`,
  )
  expect(code).toBe(1)
})

test.each([
  [
    "vitest's",
    `echo ' FAIL  a.test.ts > it works'; echo 'AssertionError: 1'`,
    / FAIL {2}a\.test\.ts[^]*AssertionError/,
  ],
  ['a check that speaks before its verdict', `echo 'a.ts:1 is wrong'; echo 'FAILED lint (1 s)'`, /a\.ts:1[^]*FAILED/],
  ['one that only ends', 'seq 100; echo last words', /^--- one\n87\n[^]*\nlast words\n/],
  ['one without an end of failures', `for n in $(seq 9000); do echo "FAIL  $n"; done`, /^(?:.+\n){26}\n$/],
])('of a failure there is said what there is: %s', async (_, words, expected) => {
  const { out } = await build(`lane one bash -c ${JSON.stringify(`${words}; exit 1`).replaceAll('$', String.raw`\$`)}`)
  expect(section(out, 'failures')).toMatch(expected)
})

test('a lane that hangs is ended, and has failed', async () => {
  const { code, out } = await build('lane_seconds=1\nlane one sleep 3600\nlane two true')
  expect(section(out, 'failures')).toBe('--- one\nFAIL  not at its end after 1 s\n\n')
  expect({ code, last: out.trimEnd().split('\n').at(-1) }).toEqual({ code: 1, last: '1 passed, 1 failed' })
})

test('a build that is ended leaves nothing behind, and begins nothing', async () => {
  const child = bash(`a() { lane one sleep 3600; lane two true; }\nside_by_side a`)
  // All that hold its output have ended then.
  const closed = once(child, 'close')
  await expect.poll(() => existsSync(join(logs, 'one.pid')), { timeout: 10_000 }).toBe(true)
  const pid = Number(readFileSync(join(logs, 'one.pid'), 'utf8'))
  child.kill('SIGTERM')
  await closed
  await expect.poll(() => existsSync(`/proc/${pid}`), { timeout: 10_000 }).toBe(false)
  expect(readFileSync(join(logs, '.lanes'), 'utf8')).toBe('one\n')
})
