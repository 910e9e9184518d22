import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { run } from '../harness/command.ts'
import { expect } from '../harness/suite.ts'
import type { Session, Suite } from '../harness/suite.ts'
import { expectSameTree, patterned, sha256 } from '../harness/tree.ts'

// Debian's, not whatever else is first in the path.
const program = '/usr/bin/aws'
const bucket = 'aws-cli-bucket'
const large = 200 * 1024 * 1024

function aws({ server }: Session, ...args: readonly string[]): Promise<string> {
  return run(program, ['--endpoint-url', server.endpoint, ...args], {
    env: {
      AWS_ACCESS_KEY_ID: server.accessKey,
      AWS_SECRET_ACCESS_KEY: server.secretKey,
      AWS_DEFAULT_REGION: 'us-east-1',
      LC_ALL: 'C.UTF-8',
    },
  })
}

export const awsCli: Suite = {
  name: 'aws-cli',
  steps: [
    { name: 'makes a bucket', run: async (s) => void (await aws(s, 's3', 'mb', `s3://${bucket}`)) },
    {
      name: 'syncs 2,000 files up and down',
      run: async (s) => {
        await aws(s, 's3', 'sync', '--no-progress', s.tree, `s3://${bucket}/tree`)
        await aws(s, 's3', 'sync', '--no-progress', `s3://${bucket}/tree`, join(s.scratch, 'tree'))
        expectSameTree(join(s.scratch, 'tree'), s.tree)
      },
    },
    {
      name: 'syncs again and finds nothing to do',
      run: async (s) => {
        const output = await aws(s, 's3', 'sync', '--no-progress', join(s.scratch, 'tree'), `s3://${bucket}/tree`)
        expect(output.trim() === '', `the second sync did something:\n${output.slice(0, 500)}`)
      },
    },
    {
      name: 'moves 200 MB by multipart, and reads ranges of it',
      run: async (s) => {
        const bytes = patterned(large, 7)
        const [up, down, part] = ['up', 'down', 'part'].map((name) => join(s.scratch, name)) as [string, string, string]
        writeFileSync(up, bytes)
        await aws(s, 's3', 'cp', '--no-progress', up, `s3://${bucket}/large`)
        await aws(s, 's3', 'cp', '--no-progress', `s3://${bucket}/large`, down)
        expect(sha256(readFileSync(down)) === sha256(bytes), 'the copy differs')
        const range = 'bytes=8388600-8388700'
        await aws(s, 's3api', 'get-object', '--bucket', bucket, '--key', 'large', '--range', range, part)
        expect(readFileSync(part).equals(bytes.subarray(8_388_600, 8_388_701)), 'the range differs')
        rmSync(up)
        rmSync(down)
      },
    },
    {
      name: 'copies, moves, lists and presigns',
      run: async (s) => {
        await aws(s, 's3', 'cp', '--no-progress', `s3://${bucket}/large`, `s3://${bucket}/copy`)
        await aws(s, 's3', 'mv', '--no-progress', `s3://${bucket}/copy`, `s3://${bucket}/moved`)
        const listed = await aws(s, 's3', 'ls', `s3://${bucket}/`)
        expect(/PRE tree\//.test(listed) && / moved$/m.test(listed) && !/ copy$/m.test(listed), listed)
        const url = (await aws(s, 's3', 'presign', `s3://${bucket}/moved`)).trim()
        const answer = await fetch(url, { headers: { range: 'bytes=0-9' } })
        expect(answer.status === 206 && (await answer.arrayBuffer()).byteLength === 10, `presigned: ${answer.status}`)
      },
    },
    {
      name: 'tags an object and reads its attributes back',
      run: async (s) => {
        const object = ['--bucket', bucket, '--key', 'moved']
        await aws(s, 's3api', 'put-object-tagging', ...object, '--tagging', 'TagSet=[{Key=colour,Value=grün}]')
        const tags = await aws(s, 's3api', 'get-object-tagging', ...object)
        expect(tags.includes('grün'), tags)
        const head = JSON.parse(await aws(s, 's3api', 'head-object', ...object)) as { ContentLength: number }
        expect(head.ContentLength === large, `the length is ${head.ContentLength}`)
      },
    },
    {
      name: 'deletes everything, then the bucket',
      run: async (s) => {
        await aws(s, 's3', 'rb', '--force', `s3://${bucket}`)
        const buckets = await aws(s, 's3', 'ls')
        expect(!buckets.includes(bucket), 'the bucket is still listed')
      },
    },
  ],
}
