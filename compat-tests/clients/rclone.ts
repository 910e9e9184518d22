import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { run } from '../harness/command.ts'
import { expect } from '../harness/suite.ts'
import type { Session, Suite } from '../harness/suite.ts'
import { patterned, sha256 } from '../harness/tree.ts'

const bucket = 'rclone-bucket'

function clone(session: Session, ...args: readonly string[]): Promise<string> {
  const { server, scratch } = session
  const config = join(scratch, 'rclone.conf')
  writeFileSync(
    config,
    [
      '[o3]',
      'type = s3',
      'provider = Other',
      `access_key_id = ${server.accessKey}`,
      `secret_access_key = ${server.secretKey}`,
      `endpoint = ${server.endpoint}`,
      'region = us-east-1',
      '',
    ].join('\n'),
  )
  return run('rclone', ['--config', config, '--transfers', '8', ...args], { env: { LC_ALL: 'C.UTF-8' } })
}

export const rclone: Suite = {
  name: 'rclone',
  steps: [
    { name: 'makes a bucket', run: async (s) => void (await clone(s, 'mkdir', `o3:${bucket}`)) },
    {
      name: 'syncs 2,000 files and checks them by hash and by download',
      run: async (s) => {
        await clone(s, 'sync', s.tree, `o3:${bucket}/tree`)
        await clone(s, 'check', s.tree, `o3:${bucket}/tree`)
        await clone(s, 'check', '--download', s.tree, `o3:${bucket}/tree`)
      },
    },
    {
      name: 'syncs again and transfers nothing',
      run: async (s) => {
        const output = await clone(
          s,
          'sync',
          '--stats-one-line',
          '-v',
          '--log-file',
          join(s.scratch, 'log'),
          s.tree,
          `o3:${bucket}/tree`,
        )
        const copied = await run('grep', ['-c', 'Copied', join(s.scratch, 'log')], { code: 1 })
        expect(copied.trim() === '0', `${copied} files were copied again\n${output}`)
      },
    },
    {
      name: 'moves 200 MB by multipart and streams it back',
      run: async (s) => {
        const bytes = patterned(200 * 1024 * 1024, 9)
        writeFileSync(join(s.scratch, 'large'), bytes)
        await clone(
          s,
          'copyto',
          '--s3-upload-cutoff',
          '10M',
          '--s3-chunk-size',
          '8M',
          join(s.scratch, 'large'),
          `o3:${bucket}/large`,
        )
        await clone(s, 'copyto', '--multi-thread-cutoff', '16M', `o3:${bucket}/large`, join(s.scratch, 'back'))
        const back = await run('sha256sum', [join(s.scratch, 'back')])
        expect(back.startsWith(sha256(bytes)), 'the copy differs')
        const middle = await clone(s, 'cat', '--offset', '1000000', '--count', '64', `o3:${bucket}/large`)
        expect(Buffer.byteLength(middle) > 0, 'a range came back empty')
      },
    },
    {
      name: 'lists, copies on the server, and moves',
      run: async (s) => {
        await clone(s, 'copyto', `o3:${bucket}/large`, `o3:${bucket}/copy`)
        await clone(s, 'moveto', `o3:${bucket}/copy`, `o3:${bucket}/moved`)
        const names = (await clone(s, 'lsf', `o3:${bucket}`)).trim().split('\n').toSorted()
        expect(names.join() === 'large,moved,tree/', names.join())
        const count = JSON.parse(await clone(s, 'size', '--json', `o3:${bucket}/tree`)) as { count: number }
        expect(count.count === 2000, `there are ${count.count} files`)
      },
    },
    {
      name: 'purges the bucket',
      run: async (s) => {
        await clone(s, 'purge', `o3:${bucket}`)
        expect(!(await clone(s, 'lsd', 'o3:')).includes(bucket), 'the bucket is still listed')
      },
    },
  ],
}
