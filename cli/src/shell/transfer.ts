/** `o3 sh key put|get|cat`: bytes between files and keys. */

import { createReadStream, createWriteStream } from 'node:fs'
import { rename, rm, stat } from 'node:fs/promises'
import { basename } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { StoreError } from '@o3/common/errors'
import type { ByteSource, KeyRef, O3Session } from '@o3/plugin-native/client'
import type { Command } from 'commander'
import type { Environment } from '../command-line.ts'
import type { Output } from '../output/output.ts'
import { Progress } from '../output/progress.ts'
import { argument, remote } from '../remote/remote-command.ts'
import { addressText, keyAddress } from './address.ts'
import { pairs } from './flags.ts'
import { partBytes, putParts } from './put-parts.ts'

/** Of a read from a file: large, because each costs a trip to a thread. */
const readBytes = 1024 * 1024

interface PutFlags {
  readonly contentType?: string
  readonly meta?: Readonly<Record<string, string>>
  readonly tag?: Readonly<Record<string, string>>
  readonly ifAbsent?: boolean
}

export function addTransfers(key: Command, env: Environment): void {
  const put = key
    .command('put')
    .argument('<address>', '/volume/bucket/key')
    .argument('<file>', '- for standard input')
    .description('store a file')
    .option('--content-type <type>', 'like text/plain')
    .option('--meta <name=value>', 'metadata kept with it (repeatable)', pairs)
    .option('--tag <name=value>', 'a tag (repeatable)', pairs)
    .option('--if-absent', 'only if there is no such key yet')
  remote<PutFlags>(put, env, async ({ session, args, flags, out }) => {
    const ref = keyAddress(argument(args, 0))
    await putFile({ session, ref, file: argument(args, 1), out }, flags)
  })

  const get = key
    .command('get')
    .argument('<address>', '/volume/bucket/key')
    .argument('[file]', '- for standard output; default: the last part of the name')
    .description('fetch a key into a file')
    .option('--force', 'write over a file that is there')
  remote<{ readonly force?: boolean }>(get, env, async ({ session, args, flags, out }) => {
    const ref = keyAddress(argument(args, 0))
    const file = args[1] === undefined ? basename(ref.key) : argument(args, 1)
    if (file === '-') await print(session, ref)
    else await getFile({ session, ref, file, out }, flags.force === true)
  })

  const cat = key.command('cat').argument('<address>', '/volume/bucket/key').description('print a key')
  remote(cat, env, async ({ session, args }) => print(session, keyAddress(argument(args, 0))))
}

interface Transfer {
  readonly session: O3Session
  readonly ref: KeyRef
  readonly file: string
  readonly out: Output
}

async function putFile({ session, ref, file, out }: Transfer, flags: PutFlags): Promise<void> {
  const size = file === '-' ? undefined : await sizeOf(file)
  const progress = new Progress({ label: addressText(ref), totalBytes: size, quiet: out.quiet || out.json })
  try {
    const preconditions = flags.ifAbsent === true ? ({ ifNoneMatch: '*' } as const) : {}
    const open = (start: number, end: number): AsyncIterable<Uint8Array> =>
      counted(createReadStream(file, { highWaterMark: readBytes, start, end: end - 1 }), progress)
    const commit =
      size !== undefined && size > partBytes
        ? await putParts(session, ref, { size, open, attributes: givenAttributes(flags), preconditions })
        : await session.keys.put(ref, size === 0 || size === undefined ? piped(file, progress) : open(0, size), {
            digests: ['md5'],
            ...(size === undefined ? {} : { size }),
            finish: ({ md5 = noBytes }) => ({ etag: Buffer.from(md5).toString('hex'), ...givenAttributes(flags) }),
            preconditions,
          })
    progress.stop()
    out.done({ key: addressText(ref), ...commit }, `${addressText(ref)}  ${progress.summary}`)
  } finally {
    progress.stop()
  }
}

const noBytes = new Uint8Array(0)

/** To its end, which may be anywhere. */
function piped(file: string, progress: Progress): AsyncIterable<Uint8Array> {
  return counted(file === '-' ? process.stdin : createReadStream(file, { highWaterMark: readBytes }), progress)
}

function givenAttributes({ contentType, meta = {}, tag = {} }: PutFlags) {
  return { ...(contentType === undefined ? {} : { contentType }), headers: {}, metadata: meta, tags: tag }
}

/** The file has its name when all of it is there; what a broken transfer leaves is removed. */
async function getFile({ session, ref, file, out }: Transfer, force: boolean): Promise<void> {
  if (!force && (await exists(file))) {
    throw new StoreError('InvalidArgument', `${file} is there already`, { details: { try: 'add --force' } })
  }
  const { info, body } = await session.keys.get(ref)
  const progress = new Progress({ label: addressText(ref), totalBytes: body.length, quiet: out.quiet || out.json })
  const unfinished = `${file}.part`
  try {
    await pipeline(counted(body.bytes, progress), createWriteStream(unfinished))
    await rename(unfinished, file)
    progress.stop()
    out.done(info, `${file}  ${progress.summary}`)
  } catch (error) {
    await rm(unfinished, { force: true })
    throw fileTrouble(error, file)
  } finally {
    progress.stop()
  }
}

async function print(session: O3Session, ref: KeyRef): Promise<void> {
  const { body } = await session.keys.get(ref)
  const { bytes } = body
  await pipeline(bytes instanceof Uint8Array ? [bytes] : bytes, process.stdout, { end: false })
}

async function* counted(source: ByteSource, progress: Progress): AsyncGenerator<Uint8Array> {
  for await (const piece of source instanceof Uint8Array ? [source] : source) {
    yield piece
    progress.add(piece.length)
  }
}

async function sizeOf(file: string): Promise<number | undefined> {
  try {
    const found = await stat(file)
    if (found.isDirectory()) throw new StoreError('InvalidArgument', `${file} is a directory`)
    return found.isFile() ? found.size : undefined
  } catch (error) {
    throw fileTrouble(error, file)
  }
}

async function exists(file: string): Promise<boolean> {
  try {
    await stat(file)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false
    throw fileTrouble(error, file)
  }
}

/** What the file system said, in a sentence; anything else as it is. */
function fileTrouble(error: unknown, file: string): unknown {
  const { code } = error as NodeJS.ErrnoException
  if (error instanceof StoreError || typeof code !== 'string' || !code.startsWith('E')) return error
  const texts: Readonly<Record<string, string>> = {
    ENOENT: 'there is no such file or directory',
    EACCES: 'this is not allowed to you',
    ENOSPC: 'the disk is full',
    EISDIR: 'it is a directory',
  }
  return new StoreError('InvalidArgument', `${file}: ${texts[code] ?? code}`, { cause: error })
}
