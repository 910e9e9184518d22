import { describe, expect, test } from 'vitest'
import type { ReadConditions } from '../../src/api/api.ts'
import { judgeCopySource, judgeRead, judgeWrite } from '../../src/core/conditions.ts'

const modifiedMs = Date.UTC(2026, 0, 1, 12, 0, 0, 700)
const key = { etag: 'e1', modifiedMs }
/** As an HTTP date shows it. */
const shownMs = Date.UTC(2026, 0, 1, 12, 0, 0)
const beforeMs = shownMs - 1000
const afterMs = shownMs + 1000

type Verdict = 'go on' | 'PreconditionFailed' | 'NotModified'
const verdict = (refusal: { code: string } | undefined): string => refusal?.code ?? 'go on'

describe('a read', () => {
  const rows: readonly [ReadConditions, Verdict][] = [
    [{}, 'go on'],
    [{ ifMatch: ['e1'] }, 'go on'],
    [{ ifMatch: ['e0', 'e1'] }, 'go on'],
    [{ ifMatch: '*' }, 'go on'],
    [{ ifMatch: ['e0'] }, 'PreconditionFailed'],
    [{ ifMatch: [] }, 'PreconditionFailed'],
    [{ ifNoneMatch: ['e1'] }, 'NotModified'],
    [{ ifNoneMatch: '*' }, 'NotModified'],
    [{ ifNoneMatch: ['e0'] }, 'go on'],
    [{ ifModifiedSinceMs: shownMs }, 'NotModified'],
    [{ ifModifiedSinceMs: afterMs }, 'NotModified'],
    [{ ifModifiedSinceMs: beforeMs }, 'go on'],
    [{ ifUnmodifiedSinceMs: shownMs }, 'go on'],
    [{ ifUnmodifiedSinceMs: afterMs }, 'go on'],
    [{ ifUnmodifiedSinceMs: beforeMs }, 'PreconditionFailed'],
    // If-Match decides alone where it is given; so does If-None-Match.
    [{ ifMatch: ['e1'], ifUnmodifiedSinceMs: beforeMs }, 'go on'],
    [{ ifMatch: ['e0'], ifUnmodifiedSinceMs: afterMs }, 'PreconditionFailed'],
    [{ ifNoneMatch: ['e0'], ifModifiedSinceMs: afterMs }, 'go on'],
    [{ ifNoneMatch: ['e1'], ifModifiedSinceMs: beforeMs }, 'NotModified'],
    // The first pair before the second.
    [{ ifMatch: ['e0'], ifNoneMatch: ['e1'] }, 'PreconditionFailed'],
    [{ ifMatch: ['e1'], ifNoneMatch: ['e1'] }, 'NotModified'],
    [{ ifMatch: ['e1'], ifModifiedSinceMs: afterMs }, 'NotModified'],
    [{ ifUnmodifiedSinceMs: beforeMs, ifNoneMatch: ['e1'] }, 'PreconditionFailed'],
    [{ ifUnmodifiedSinceMs: beforeMs, ifModifiedSinceMs: afterMs }, 'PreconditionFailed'],
    [{ ifUnmodifiedSinceMs: afterMs, ifModifiedSinceMs: beforeMs }, 'go on'],
  ]
  test.each(rows)('%j: %s', (conditions, expected) => {
    expect(verdict(judgeRead(conditions, key))).toBe(expected)
    // There is nothing to reuse in a copy.
    const ofCopy = expected === 'NotModified' ? 'PreconditionFailed' : expected
    expect(verdict(judgeCopySource(conditions, key))).toBe(ofCopy)
  })

  test('a refusal carries what a 304 and a 412 show', () => {
    const details = { etag: 'e1', modifiedMs }
    expect(judgeRead({ ifNoneMatch: '*' }, key)).toMatchObject({ code: 'NotModified', details })
    expect(judgeRead({ ifMatch: [] }, key)).toMatchObject({ code: 'PreconditionFailed', details })
  })
})

describe('a write', () => {
  const stars = '*' as const
  test.each([
    [{}, key, 'go on'],
    [{}, undefined, 'go on'],
    [{ ifMatch: ['e1'] }, key, 'go on'],
    [{ ifMatch: ['e0'] }, key, 'PreconditionFailed'],
    [{ ifMatch: stars }, key, 'go on'],
    [{ ifMatch: stars }, undefined, 'KeyNotFound'],
    [{ ifMatch: ['e1'] }, undefined, 'KeyNotFound'],
    [{ ifNoneMatch: stars }, undefined, 'go on'],
    [{ ifNoneMatch: stars }, key, 'PreconditionFailed'],
    [{ ifNoneMatch: ['e1'] }, key, 'PreconditionFailed'],
    [{ ifNoneMatch: ['e0'] }, key, 'go on'],
    [{ ifMatch: ['e1'], ifNoneMatch: ['e0'] }, key, 'go on'],
    [{ ifMatch: ['e1'], ifNoneMatch: ['e1'] }, key, 'PreconditionFailed'],
  ])('%j over %j: %s', (conditions, existing, expected) => {
    expect(verdict(judgeWrite(conditions, existing))).toBe(expected)
  })
})
