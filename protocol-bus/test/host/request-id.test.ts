import { expect, test } from 'vitest'
import { requestIds } from '../../src/host/request-id.ts'

test('request ids are sixteen digits, count on, and do not repeat', () => {
  const next = requestIds({ bytes: (length) => new Uint8Array(length).fill(0xab) })
  const ids = Array.from({ length: 10_000 }, next)
  expect(ids[0]).toBe('ABABABAB00000001')
  expect(ids[4094]).toBe('ABABABAB00000FFF')
  expect(ids[4095]).toBe('ABABABAB00001000')
  expect(ids.every((id) => /^[0-9A-F]{16}$/.test(id))).toBe(true)
  expect(new Set(ids).size).toBe(ids.length)
})
