/** A session of commands against a real node, through the launcher, and then an examination of what it left. */

import { randomBytes } from 'node:crypto'
import { open, readFile, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { o3, startNode, temporaryDirectory, words } from './launcher.ts'
import type { Ran, StartedNode } from './launcher.ts'

let directory: Awaited<ReturnType<typeof temporaryDirectory>>
let data: string
let node: StartedNode | undefined

beforeAll(async () => {
  directory = await temporaryDirectory()
  data = join(directory.path, 'data')
  node = await startNode(data)
}, 60_000)

afterAll(async () => {
  await node?.stop()
  await directory.remove()
})

const run = (line: string, input?: string): Promise<Ran> =>
  o3([...words(line), '--data', data], { cwd: directory.path, ...(input === undefined ? {} : { input }) })

/** Fits a terminal of 80 columns, and has nothing to hide behind at its end. */
function expectNarrow(text: string): void {
  for (const line of text.split('\n')) expect(line).toMatch(/^(.{0,79}\S)?$/u)
}

test('the banner names the native endpoint', () => {
  expect(node?.banner).toMatch(/native {4}o3:\/\/127\.0\.0\.1:\d+ {3}\(o3 sh\)/)
})

describe('volumes and buckets', () => {
  test('are created, shown, changed and deleted', { timeout: 60_000 }, async () => {
    expect(await run('sh volume create /team --quota-bytes 1GiB --quota-buckets 2')).toMatchObject({
      code: 0,
      out: 'created /team, owned by root\n',
    })
    await run('sh bucket create /team/photos --quota-keys 10')
    await run('sh bucket create /team/three --replication RATIS/THREE')
    expect((await run('sh bucket info /team/three')).out).toMatch(/^replication +RATIS\/THREE$/m)
    expect((await run('sh bucket delete /team/three')).code).toBe(0)
    expect((await run('sh bucket create /team/two --replication RATIS/TWO')).err).toMatch(
      /no way to replicate.*RATIS\/ONE/,
    )
    const info = await run('sh volume info /team')
    expect(info.out).toMatch(/^quota +1\.0 GiB, 2 buckets$/m)
    expectNarrow(info.out)

    const changed = await run('sh volume update /team --quota-bytes none --json')
    expect(changed.json()).toMatchObject([{ name: 'team', quota: { buckets: 2 } }])
    expect(changed.json()[0]?.['quota']).toEqual({ buckets: 2 })
    const allowed = await run('sh bucket allow /team/photos alice write --json')
    expect(allowed.json()).toMatchObject([{ members: { alice: 'write' } }])

    const [volumes, buckets] = await Promise.all([run('sh volume list'), run('sh bucket list /team')])
    expect(volumes.out).toMatch(/^ *SIZE +KEYS +BUCKETS +CREATED +OWNER +VOLUME\n(.*\n)*.* root +\/team$/m)
    expect(buckets.out).toMatch(/ root +\/team\/photos\n$/)
    expectNarrow(volumes.out + buckets.out)

    const refused = await run('sh volume delete /team')
    expect(refused.code).toBe(1)
    expect(refused.err).toMatch(/^o3: .*\ntry: .*bucket list/)
    expect((await run('sh bucket delete /team/photos')).code).toBe(0)
    expect((await run('sh volume delete /team')).code).toBe(0)
  })
})

describe('keys', () => {
  test('carry files there and back, and lists show them', { timeout: 90_000 }, async () => {
    const bytes = randomBytes(3_000_000)
    await writeFile(join(directory.path, 'file'), bytes)
    await run('sh bucket create /s3v/photos')
    const put = await run('sh key put /s3v/photos/2026/may/cat.jpg file --content-type image/jpeg --meta by=me')
    expect(put).toMatchObject({ code: 0, err: '' })
    expect(put.out).toMatch(/^\/s3v\/photos\/2026\/may\/cat\.jpg {2}2\.9 MiB in [\d.]+ s \([\d.]+ \w+\/s\)\n$/)
    expect((await run('sh key get /s3v/photos/2026/may/cat.jpg')).code).toBe(0)
    expect(Buffer.compare(await readFile(join(directory.path, 'cat.jpg')), bytes)).toBe(0)
    const again = await run('sh key get /s3v/photos/2026/may/cat.jpg')
    expect(again).toMatchObject({ code: 2, out: '' })
    expect(again.err).toBe('o3: cat.jpg is there already\ntry: add --force\n')

    const note = 'hello\n'.repeat(10_000)
    expect((await run('sh key put /s3v/photos/note - --quiet', note)).out).toBe('')
    expect((await run('sh key cat /s3v/photos/note')).out).toBe(note)

    const info = await run('sh key info /s3v/photos/2026/may/cat.jpg')
    expect(info.out).toMatch(/^size +2\.9 MiB \(3000000 bytes\)$/m)
    expect(info.out).toMatch(/^type +image\/jpeg$/m)
    expect(info.out).toMatch(/^metadata +by=me$/m)

    const listed = await run('sh key list /s3v/photos --delimiter /')
    expect(listed.out.split('\n').map((line) => line.split(/ +/).at(-1))).toEqual(['KEY', '2026/', 'note', ''])
    expectNarrow(listed.out)
    const page = await run('sh key list /s3v/photos --limit 1 --json')
    expect(page.json()).toMatchObject([{ name: '2026/may/cat.jpg', size: 3_000_000 }])
    expect(page.err).toBe("more follow: --after '2026/may/cat.jpg'\n")
  })

  test('are copied, renamed and deleted', { timeout: 60_000 }, async () => {
    expect((await run('sh key cp /s3v/photos/note /s3v/photos/dir/b')).code).toBe(0)
    const taken = await run('sh key rename /s3v/photos/dir/b note')
    expect(taken).toMatchObject({ code: 1 })
    expect(taken.err).toContain('try: add --replace')
    expect((await run('sh key rename /s3v/photos/dir/b /s3v/photos/dir/c')).code).toBe(0)
    const some = await run('sh key delete /s3v/photos/dir/c /s3v/photos/none')
    expect(some).toMatchObject({
      code: 5,
      out: 'deleted /s3v/photos/dir/c\n',
      err: 'o3: there is no /s3v/photos/none\n',
    })
    const gone = await run('sh key cat /s3v/photos/dir/c')
    expect(gone).toMatchObject({ code: 3, out: '' })
  })

  test('of a file that is not there say so', async () => {
    const put = await run('sh key put /s3v/photos/x nowhere')
    expect(put).toMatchObject({ code: 2, err: 'o3: nowhere: there is no such file or directory\n' })
  })
})

test('a user with a key pair sees what is theirs, until the pair is disabled', { timeout: 60_000 }, async () => {
  await run('user create alice --allow s3v')
  const made = await run('key-pair create alice --json')
  const { id, secret } = made.json()[0] as { id: string; secret: string }
  const { native } = JSON.parse(await readFile(join(data, 'endpoints.json'), 'utf8')) as { native: string }
  const env = { O3_ADDRESS: native, O3_ACCESS_KEY: id, O3_SECRET_KEY: secret }
  const asAlice = (line: string): Promise<Ran> => o3(words(line), { cwd: directory.path, env })
  expect((await asAlice('sh bucket create /s3v/alices')).code).toBe(0)
  expect((await asAlice('user list')).code).toBe(4)
  expect((await run('key-pair list --user alice')).out).toContain(id)
  await run(`key-pair disable ${id}`)
  const refused = await asAlice('sh bucket list /s3v')
  expect(refused.code).toBe(4)
  expect(refused.err).toContain('try: check the access key')
  expect((await run('admin summary')).out).toMatch(/^space +.* free$/m)
})

describe('what goes wrong has a line and an exit code', () => {
  test.each([
    ['sh key info /s3v', 2, /is no address of this kind: write \/volume\/bucket\/key/],
    ['sh key list /s3v/none', 3, /try: /],
    ['sh frobnicate', 2, /unknown command/],
    ['sh volume list --access-key x --secret-key y', 4, /the key or its secret is wrong|does not know the secret/],
  ])('%s', async (line, code, text) => {
    const ran = await run(line)
    expect(ran.err).toMatch(text)
    expect(ran).toMatchObject({ code, out: '' })
  })

  test('no server', async () => {
    const ran = await o3(['sh', 'volume', 'list', '--data', join(directory.path, 'none')])
    expect(ran.code).toBe(1)
    expect(ran.err).toMatch(
      /^o3: no O3 has run on .*\ntry: start one with `npx o3 start`, or name it with --address\n$/,
    )
  })
})

describe('the doctor', () => {
  const examine = (): Promise<Ran> => run('doctor --json')
  const problems = (ran: Ran): readonly Record<string, unknown>[] => ran.json().filter(({ kind }) => kind === 'problem')

  test('keeps off a directory that is in use', async () => {
    const ran = await examine()
    expect(ran).toMatchObject({ code: 1, out: '' })
    expect(ran.err).toMatch(/^o3: a node runs on .* \(pid \d+\)\ntry: stop it first/)
  })

  test('finds a whole directory whole, and changes nothing', { timeout: 60_000 }, async () => {
    expect(await node?.stop()).toBe(0)
    const before = await contents(data)
    const ran = await run('doctor')
    expect(ran).toMatchObject({ code: 0, err: '' })
    expect(ran.out).toContain(`${data} is whole.`)
    expect(await contents(data)).toEqual(before)
  })

  test('finds a flipped byte in a container and in a log, and says where', { timeout: 60_000 }, async () => {
    const containers = join(data, 'disk/containers')
    const [container] = await readdir(containers)
    await flip(join(containers, container!), 500_000)
    const damaged = await examine()
    expect(damaged.code).toBe(1)
    expect(problems(damaged)).toMatchObject([{ component: 'disk', path: join(containers, container!) }])
    const { offset } = problems(damaged)[0] as { offset: number }
    expect(Math.abs(offset - 500_000)).toBeLessThanOrEqual(2 ** 20)

    const log = join(data, 'om/log')
    const segment = (await readdir(log)).find((name) => name.endsWith('.segment'))
    await flip(join(log, segment!), 4096 + 40)
    const both = await examine()
    expect(both.code).toBe(1)
    expect(problems(both)).toContainEqual(
      expect.objectContaining({ component: 'om', path: join(log, segment!), offset: 4096 }),
    )
    expect(both.json()).toContainEqual(expect.objectContaining({ kind: 'skipped', component: 'om' }))
  })

  test('knows what is no data directory', async () => {
    const ran = await o3(['doctor', '--data', directory.path])
    expect(ran).toMatchObject({ code: 1, err: expect.stringContaining('is no data directory') as string })
  })
})

async function flip(path: string, offset: number): Promise<void> {
  const file = await open(path, 'r+')
  const byte = Buffer.alloc(1)
  await file.read(byte, 0, 1, offset)
  byte[0]! ^= 0x10
  await file.write(byte, 0, 1, offset)
  await file.close()
}

async function contents(path: string): Promise<Record<string, string>> {
  const entries = await readdir(path, { recursive: true, withFileTypes: true })
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name))
  const read = files.toSorted().map(async (file) => [file, (await readFile(file)).toString('base64')] as const)
  return Object.fromEntries(await Promise.all(read))
}
