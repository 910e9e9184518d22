import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { play } from './stage/transcript.ts'

const directory = fileURLToPath(new URL('transcripts/', import.meta.url))
const names = readdirSync(directory).filter((name) => name.endsWith('.txt'))
/** `REWRITE=1 npx vitest run ratis/test/core/transcripts` writes down what happens now: read the difference. */
const rewrites = process.env['REWRITE'] === '1'

describe('transcripts', () => {
  test.each(names)('%s', (name) => {
    const path = directory + name
    const text = readFileSync(path, 'utf8')
    const played = play(text)
    if (rewrites) writeFileSync(path, played)
    else expect(played).toBe(text)
  })

  test('each of the twenty known bugs of Raft implementations is one', () => {
    const numbers = names.flatMap((name) => /^reg-(\d\d)-/.exec(name)?.[1] ?? [])
    expect([...new Set(numbers)].sort()).toEqual(Array.from({ length: 20 }, (_, at) => String(at + 1).padStart(2, '0')))
  })

  test('there are enough to call it documentation', () => {
    expect(names.length).toBeGreaterThanOrEqual(60)
  })
})
