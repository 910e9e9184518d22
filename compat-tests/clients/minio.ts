import { createReadStream, createWriteStream, readdirSync, statSync, writeFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { Client } from 'minio'
import { expect } from '../harness/suite.ts'
import type { Session, Suite } from '../harness/suite.ts'
import { expectSameTree, patterned, sha256 } from '../harness/tree.ts'
import { mkdirSync, readFileSync } from 'node:fs'
import { dirname } from 'node:path'

const bucket = 'minio-bucket'

function clientOf({ server }: Session): Client {
  return new Client({
    endPoint: server.host,
    port: server.port,
    useSSL: false,
    accessKey: server.accessKey,
    secretKey: server.secretKey,
    region: 'us-east-1',
  })
}

async function listAll(client: Client): Promise<string[]> {
  const names: string[] = []
  for await (const item of client.listObjectsV2(bucket, '', true)) names.push((item as { name: string }).name)
  return names
}

export const minio: Suite = {
  name: 'minio',
  steps: [
    {
      name: 'makes a bucket',
      run: async (s) => {
        await clientOf(s).makeBucket(bucket)
        expect(await clientOf(s).bucketExists(bucket), 'the bucket does not exist')
      },
    },
    {
      name: 'puts 2,000 files, lists and gets them',
      run: async (s) => {
        const client = clientOf(s)
        const files = readdirSync(s.tree, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile())
        for (const file of files) {
          const path = join(file.parentPath, file.name)
          await client.putObject(bucket, relative(s.tree, path), createReadStream(path), statSync(path).size)
        }
        const names = await listAll(client)
        expect(names.length === 2000, `${names.length} are listed`)
        for (const name of names) {
          const target = join(s.scratch, 'tree', name)
          mkdirSync(dirname(target), { recursive: true })
          await pipeline(await client.getObject(bucket, name), createWriteStream(target))
        }
        expectSameTree(join(s.scratch, 'tree'), s.tree)
      },
    },
    {
      name: 'moves 200 MB by multipart, with a range and a copy',
      run: async (s) => {
        const client = clientOf(s)
        const bytes = patterned(200 * 1024 * 1024, 12)
        const path = join(s.scratch, 'large')
        writeFileSync(path, bytes)
        await client.fPutObject(bucket, 'large', path, { 'X-Amz-Meta-Note': 'from minio' })
        const stat = await client.statObject(bucket, 'large')
        expect(stat.size === bytes.length && stat.metaData['note'] === 'from minio', JSON.stringify(stat))
        await client.fGetObject(bucket, 'large', `${path}.back`)
        expect(sha256(readFileSync(`${path}.back`)) === sha256(bytes), 'the copy differs')
        const pieces: Buffer[] = []
        for await (const piece of await client.getPartialObject(bucket, 'large', 5_000_000, 1000))
          pieces.push(piece as Buffer)
        expect(Buffer.concat(pieces).equals(bytes.subarray(5_000_000, 5_001_000)), 'the range differs')
      },
    },
    {
      name: 'presigns a GET and a PUT',
      run: async (s) => {
        const client = clientOf(s)
        const put = await fetch(await client.presignedPutObject(bucket, 'signed'), { method: 'PUT', body: 'hello' })
        const got = await fetch(await client.presignedGetObject(bucket, 'signed'))
        expect(put.status === 200 && (await got.text()) === 'hello', `${put.status} ${got.status}`)
      },
    },
    {
      name: 'removes everything, then the bucket',
      run: async (s) => {
        const client = clientOf(s)
        await client.removeObjects(bucket, await listAll(client))
        expect((await listAll(client)).length === 0, 'something is left')
        await client.removeBucket(bucket)
      },
    },
  ],
}
