import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { run } from '../harness/command.ts'
import { expect } from '../harness/suite.ts'
import type { Session, Suite } from '../harness/suite.ts'
import { expectSameTree, patterned, sha256 } from '../harness/tree.ts'

const bucket = 's3cmd-bucket'

function s3(session: Session, ...args: readonly string[]): Promise<string> {
  const { server, scratch } = session
  const config = join(scratch, 's3cfg')
  writeFileSync(
    config,
    [
      '[default]',
      `access_key = ${server.accessKey}`,
      `secret_key = ${server.secretKey}`,
      `host_base = ${server.host}:${server.port}`,
      `host_bucket = ${server.host}:${server.port}`,
      'use_https = False',
      'bucket_location = us-east-1',
      'multipart_chunk_size_mb = 16',
      '',
    ].join('\n'),
  )
  return run('s3cmd', ['--config', config, '--no-progress', ...args], { env: { LC_ALL: 'C.UTF-8' } })
}

export const s3cmd: Suite = {
  name: 's3cmd',
  steps: [
    { name: 'makes a bucket', run: async (s) => void (await s3(s, 'mb', `s3://${bucket}`)) },
    {
      name: 'syncs 2,000 files up and down',
      run: async (s) => {
        await s3(s, 'sync', `${s.tree}/`, `s3://${bucket}/tree/`)
        await s3(s, 'sync', `s3://${bucket}/tree/`, `${join(s.scratch, 'tree')}/`)
        expectSameTree(join(s.scratch, 'tree'), s.tree)
      },
    },
    {
      name: 'syncs again and finds nothing to do',
      run: async (s) => {
        const output = await s3(s, 'sync', `${s.tree}/`, `s3://${bucket}/tree/`)
        expect(!output.includes('upload:'), `the second sync did something:\n${output.slice(0, 500)}`)
      },
    },
    {
      name: 'moves 200 MB by multipart',
      run: async (s) => {
        const bytes = patterned(200 * 1024 * 1024, 8)
        const [up, down] = [join(s.scratch, 'up'), join(s.scratch, 'down')]
        writeFileSync(up, bytes)
        await s3(s, 'put', up, `s3://${bucket}/large`)
        await s3(s, 'get', '--force', `s3://${bucket}/large`, down)
        expect(sha256(readFileSync(down)) === sha256(bytes), 'the copy differs')
        rmSync(up)
        rmSync(down)
      },
    },
    {
      name: 'copies, moves, shows and measures',
      run: async (s) => {
        await s3(s, 'cp', `s3://${bucket}/large`, `s3://${bucket}/copy`)
        await s3(s, 'mv', `s3://${bucket}/copy`, `s3://${bucket}/moved`)
        const info = await s3(s, 'info', `s3://${bucket}/moved`)
        expect(info.includes(String(200 * 1024 * 1024)), info)
        const usage = await s3(s, 'du', `s3://${bucket}`)
        expect(Number.parseInt(usage, 10) > 400 * 1024 * 1024, usage)
      },
    },
    {
      name: 'deletes everything, then the bucket',
      run: async (s) => {
        await s3(s, 'del', '--recursive', '--force', `s3://${bucket}`)
        await s3(s, 'rb', `s3://${bucket}`)
        expect(!(await s3(s, 'ls')).includes(bucket), 'the bucket is still listed')
      },
    },
  ],
}
