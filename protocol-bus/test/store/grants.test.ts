import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { Namespace } from '../../src/store/namespace.ts'
import type { OmClient } from '@o3/om/api'

const root = join(import.meta.dirname, '../../src/store')
const sessions = globSync('session*.ts', { cwd: root })

test.each(sessions)('%s reaches names and bytes only through what asks for grants', (file) => {
  const source = readFileSync(join(root, file), 'utf8')
  expect(source).not.toMatch(/\b(OmClient|BlockStore|BlockClient)\b|@o3\/(om|hdds)\/client/)
})

describe('every call of the namespace refuses what nobody granted', () => {
  const untouched = new Proxy({} as OmClient, {
    get: (_, name) => expect.unreachable(`om.${String(name)} was reached without a grant`),
  })
  const namespace = new Namespace(untouched)
  const names = Object.getOwnPropertyNames(Namespace.prototype).filter(
    // `userOfAccessKey` finds out whose grant is needed; `execute` is what the others end in.
    (name) => !['constructor', 'execute', 'userOfAccessKey'].includes(name),
  )

  test.each(names)('%s', async (name) => {
    const call = namespace[name as keyof Namespace] as (...args: unknown[]) => unknown
    const forged = { action: 'key:read', volume: 'v', bucket: 'b', user: 'u', principal: { user: 'u', admin: true } }
    await expect((async () => call.call(namespace, forged, forged, {}))()).rejects.toThrow('nobody issued')
  })
})
