import {
  appendFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { S3Client, CreateBucketCommand } from '@aws-sdk/client-s3'
import { run } from '../harness/command.ts'
import { expect } from '../harness/suite.ts'
import type { Session, Suite } from '../harness/suite.ts'
import { expectSameTree, makeTree, patterned } from '../harness/tree.ts'

const bucket = 's3fs-bucket'
const mountDeadlineMs = 20_000

const mountPoint = ({ scratch }: Session): string => join(scratch, 'mnt')

async function mount(session: Session): Promise<void> {
  const { server, scratch } = session
  const passwords = join(scratch, 'passwd')
  writeFileSync(passwords, `${server.accessKey}:${server.secretKey}\n`, { mode: 0o600 })
  mkdirSync(mountPoint(session), { recursive: true })
  const options = [
    `url=${server.endpoint}`,
    'use_path_request_style',
    `passwd_file=${passwords}`,
    'endpoint=us-east-1',
    'retries=1',
  ]
  await run('s3fs', [bucket, mountPoint(session), ...options.flatMap((option) => ['-o', option])])
  const until = performance.now() + mountDeadlineMs
  while (!readFileSync('/proc/mounts', 'utf8').includes(mountPoint(session))) {
    if (performance.now() > until) throw new Error('s3fs did not mount')
    await sleep(50)
  }
}

async function unmount(session: Session): Promise<void> {
  if (readFileSync('/proc/mounts', 'utf8').includes(mountPoint(session))) await run('umount', [mountPoint(session)])
}

export const s3fs: Suite = {
  name: 's3fs',
  steps: [
    {
      name: 'mounts a bucket',
      run: async (s) => {
        const { accessKey, secretKey, endpoint } = s.server
        const client = new S3Client({
          endpoint,
          region: 'us-east-1',
          forcePathStyle: true,
          credentials: { accessKeyId: accessKey, secretAccessKey: secretKey },
        })
        await client.send(new CreateBucketCommand({ Bucket: bucket }))
        client.destroy()
        await mount(s)
      },
    },
    {
      name: 'copies a tree in, and reads it back after a remount',
      run: async (s) => {
        // Every file costs s3fs several requests in a row; a tenth of the tree shows the same.
        const small = join(s.scratch, 'small')
        makeTree(small, { files: 200, seed: 5 })
        cpSync(small, join(mountPoint(s), 'tree'), { recursive: true })
        await unmount(s)
        await mount(s)
        expectSameTree(join(mountPoint(s), 'tree'), small)
      },
    },
    {
      name: 'appends, renames files and directories, and removes',
      run: async (s) => {
        const at = (name: string): string => join(mountPoint(s), name)
        writeFileSync(at('one.txt'), 'first\n')
        appendFileSync(at('one.txt'), 'second\n')
        renameSync(at('one.txt'), at('two.txt'))
        expect(readFileSync(at('two.txt'), 'utf8') === 'first\nsecond\n', 'an appended file differs')
        mkdirSync(at('folder/inside'), { recursive: true })
        writeFileSync(at('folder/inside/file'), 'x')
        renameSync(at('folder'), at('moved'))
        expect(readFileSync(at('moved/inside/file'), 'utf8') === 'x', 'a file in a renamed folder differs')
        rmSync(at('moved'), { recursive: true })
        expect(!existsSync(at('moved')), 'a removed folder is still there')
      },
    },
    {
      name: 'writes 64 MB and reads the middle',
      run: async (s) => {
        const bytes = patterned(64 * 1024 * 1024, 11)
        writeFileSync(join(mountPoint(s), 'large'), bytes)
        expect(readFileSync(join(mountPoint(s), 'large')).equals(bytes), 'the copy differs')
      },
    },
    {
      name: 'empties the bucket',
      run: async (s) => {
        for (const name of readdirSync(mountPoint(s))) rmSync(join(mountPoint(s), name), { recursive: true })
        expect(readdirSync(mountPoint(s)).length === 0, 'something is left')
      },
    },
  ],
  cleanUp: unmount,
}
