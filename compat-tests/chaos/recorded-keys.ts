/** The requests of S3 about a key, each attempt of which goes into the history with what it was told. */

import { DeleteObjectCommand, GetObjectCommand, ListObjectsV2Command, PutObjectCommand } from '@aws-sdk/client-s3'
import type { S3Client } from '@aws-sdk/client-s3'
import { History } from '@o3/ratis/testing'
import type { CallId, ConditionalKeyInput, ConditionalKeyOutput, KeyCondition } from '@o3/ratis/testing'
import type { Content, Contents } from './contents.ts'
import type { Ledger } from './ledger.ts'
import { isAnswer, requestBudgetMs, wasNotSent, watchAttempts } from './patient-client.ts'
import type { S3Command } from './patient-client.ts'

export type KeyHistory = History<ConditionalKeyInput, ConditionalKeyOutput>

export interface RecordedKeysOptions {
  readonly client: S3Client
  readonly bucket: string
  readonly contents: Contents
  readonly ledger: Ledger
}

/** When the attempts that wrote something began and ended: what the gaps after a loss are read from. */
interface WrittenAttempt {
  readonly beganMs: number
  readonly endedMs: number
}

/** What became of a request: what its last attempt was told. Undefined when it failed, which is in the ledger then. */
type Told = ConditionalKeyOutput | undefined

/** Of the outputs of S3 what is read here. */
interface Output {
  readonly ETag?: string
  readonly Body?: { transformToByteArray(): Promise<Uint8Array> } | undefined
}

interface Asked {
  readonly who: string
  readonly key: string
  readonly input: ConditionalKeyInput
}

const mostOperations = 1_000_000

export class RecordedKeys {
  readonly history: KeyHistory = new History({ mostOperations })
  private readonly written: WrittenAttempt[] = []
  private readonly options: RecordedKeysOptions
  /** A client whose answer was lost goes on under a new name. */
  private readonly lives = new Map<string, number>()

  constructor(options: RecordedKeysOptions) {
    this.options = options
  }

  async put(
    who: string,
    key: string,
    made: { readonly content: Content; readonly bytes: Buffer },
    condition?: KeyCondition,
  ) {
    const { etag } = made.content
    const command = new PutObjectCommand({
      Bucket: this.options.bucket,
      Key: key,
      Body: made.bytes,
      ...(condition?.kind === 'absent' ? { IfNoneMatch: '*' } : {}),
      ...(condition?.kind === 'etag' ? { IfMatch: `"${condition.etag}"` } : {}),
    })
    const input: ConditionalKeyInput = { kind: 'put', etag, ...(condition === undefined ? {} : { condition }) }
    return this.send({ who, key, input }, command, (output) => {
      if (output.ETag !== `"${etag}"`) {
        this.options.ledger.find('wrong', `PUT ${key}: answered the ETag ${output.ETag}, not ${etag}`)
      }
      return 'ok'
    })
  }

  async remove(who: string, key: string): Promise<Told> {
    const command = new DeleteObjectCommand({ Bucket: this.options.bucket, Key: key })
    return this.send({ who, key, input: { kind: 'delete' } }, command, () => 'ok')
  }

  /** The bytes are compared with those that were written under the ETag that came with them. */
  async get(who: string, key: string): Promise<Told> {
    const { bucket, contents, ledger } = this.options
    const untilMs = performance.now() + requestBudgetMs
    for (;;) {
      let body: Output['Body']
      const command = new GetObjectCommand({ Bucket: bucket, Key: key })
      const told = await this.send({ who, key, input: { kind: 'get' } }, command, (output) => {
        body = output.Body
        return { etag: (output.ETag ?? '').replaceAll('"', '') }
      })
      if (typeof told !== 'object' || body === undefined) return told
      try {
        const problem = contents.problem(told.etag ?? '', await body.transformToByteArray())
        if (problem !== undefined) ledger.find('wrong', `GET ${key}: ${problem}`)
        return told
      } catch (error) {
        // The head came and the body broke off: the SDK leaves it to the application to ask again.
        ledger.add('retries')
        if (performance.now() < untilMs) continue
        ledger.find('failures', `GET ${key}: ${String(error)}`)
        return undefined
      }
    }
  }

  /** One page with the prefix. It is a read of each of `keys`, which are all that there can be: each is there or is not. */
  async list(who: string, prefix: string, keys: readonly string[]): Promise<void> {
    const { bucket, ledger } = this.options
    const found = new Map<string, string>()
    const command = new ListObjectsV2Command({ Bucket: bucket, Prefix: prefix })
    let calls: readonly CallId[] = []
    const names = keys.map((_, at) => `${who}-l${at}`)
    watchAttempts(command, async (attempt) => {
      calls = keys.map((key, at) => this.call({ who: names[at] ?? who, key, input: { kind: 'get' } }))
      try {
        return await attempt()
      } catch (error) {
        for (const call of calls) this.history.withdrawn(call)
        ledger.add('retries')
        throw error
      }
    })
    await this.timed(`LIST ${prefix}`, [], async () => {
      const { Contents = [] } = await this.options.client.send(command)
      for (const { Key = '', ETag = '' } of Contents) found.set(Key, ETag.replaceAll('"', ''))
      keys.forEach((key, at) => {
        const call = calls[at]
        if (call !== undefined) this.history.answered(call, { etag: found.get(key) ?? null })
      })
      for (const key of found.keys()) {
        if (!keys.includes(key)) ledger.find('wrong', `LIST ${prefix}: ${key} was never written`)
      }
    })
  }

  /** The whole bucket, page by page, and not recorded: key and ETag. Rejects when the budget of a page is spent. */
  async listAll(): Promise<ReadonlyMap<string, string>> {
    const { client, bucket } = this.options
    const listed = new Map<string, string>()
    for (let token: string | undefined, more = true; more; more = token !== undefined) {
      const input = { Bucket: bucket, ...(token === undefined ? {} : { ContinuationToken: token }) }
      const page = await client.send(new ListObjectsV2Command(input))
      for (const { Key = '', ETag = '' } of page.Contents ?? []) listed.set(Key, ETag.replaceAll('"', ''))
      token = page.NextContinuationToken
    }
    return listed
  }

  /** From the loss to the first write that was attempted after it and acknowledged, in ms. Infinite: there was none. */
  gapAfter(lostMs: number): number {
    const ends = this.written.filter(({ beganMs }) => beganMs >= lostMs).map(({ endedMs }) => endedMs)
    return ends.reduce((first, end) => Math.min(first, end), Infinity) - lostMs
  }

  private async send(asked: Asked, command: S3Command, read: (output: Output) => ConditionalKeyOutput): Promise<Told> {
    const { client, ledger } = this.options
    let last: Told
    let attempts = 0
    const notes: string[] = []
    watchAttempts(command, async (attempt) => {
      if (attempts++ > 0) ledger.add('retries')
      const call = this.call(asked)
      const beganMs = performance.now()
      try {
        const result = await attempt()
        last = read((result as { readonly output: Output }).output)
        this.history.answered(call, last)
        if (asked.input.kind === 'put') this.written.push({ beganMs, endedMs: performance.now() })
        return result
      } catch (error) {
        last = this.refused(asked, call, error)
        const took = ((performance.now() - beganMs) / 1000).toFixed(1)
        if (last === undefined) notes.push(`${took} s ${error instanceof Error ? error.message : String(error)}`)
        throw error
      }
    })
    const what = `${asked.input.kind.toUpperCase()} ${asked.key}`
    await this.timed(what, notes, async () => {
      try {
        // Commands of several kinds, and one client: what is needed of the output has been read on the way.
        await (client as { send(command: S3Command): Promise<unknown> }).send(command)
      } catch (error) {
        if (last === undefined) throw error
      }
    })
    return last
  }

  /** What an attempt that threw tells of the key; undefined: nothing. */
  private refused({ who, input }: Asked, call: CallId, error: unknown): Told {
    if (isAnswer(error)) {
      const output = outputOf(error.name, input)
      if (output !== undefined) {
        this.history.answered(call, output)
        return output
      }
    }
    // A read that was not answered has done nothing; and what is refused as a mistake of ours fails below.
    if (input.kind === 'get' || wasNotSent(error)) {
      this.history.withdrawn(call)
      return undefined
    }
    this.options.ledger.add('unknowns')
    this.lives.set(who, (this.lives.get(who) ?? 0) + 1)
    return undefined
  }

  private call({ who, key, input }: Asked): CallId {
    return this.history.call({ client: `${who}.${this.lives.get(who) ?? 0}`, key, input })
  }

  private async timed(what: string, notes: readonly string[], request: () => Promise<void>): Promise<void> {
    const { ledger } = this.options
    const beganMs = performance.now()
    ledger.add('requests')
    try {
      await request()
    } catch (error) {
      const after = ((performance.now() - beganMs) / 1000).toFixed(1)
      ledger.find('failures', `${what}: after ${after} s: ${String(error)}`)
    }
    ledger.took(what, performance.now() - beganMs, notes)
  }
}

function outputOf(code: string, { kind }: ConditionalKeyInput): ConditionalKeyOutput | undefined {
  if (code === 'PreconditionFailed') return 'precondition-failed'
  if (code === 'NoSuchKey') return kind === 'get' ? { etag: null } : 'no-such-key'
  return undefined
}
