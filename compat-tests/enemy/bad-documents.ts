/** XML that is none, that is too much, or that says what cannot be. */

import type { Server } from '../harness/server.ts'
import { contentMd5, element, must, send } from '../harness/requests.ts'
import type { Answer } from '../harness/wire.ts'
import type { Attack } from './bad-input.ts'

interface Target {
  readonly name: string
  readonly method: 'POST' | 'PUT'
  readonly target: string
  /** Would be obeyed, with consequences that the inventory shows. */
  readonly good: string
  readonly limitBytes: number
}

const KiB = 1024

export function badDocuments(server: Server, { bucket, good, upload }: Stage): readonly Attack[] {
  const part = `<Part><PartNumber>1</PartNumber><ETag>${upload.etag}</ETag></Part>`
  const tag = '<TagSet><Tag><Key>a</Key><Value>b</Value></Tag></TagSet>'
  const targets: readonly Target[] = [
    {
      name: 'DeleteObjects',
      method: 'POST',
      target: `/${bucket}?delete`,
      good: `<Delete><Object><Key>${good}</Key></Object></Delete>`,
      limitBytes: 2 * KiB * KiB,
    },
    {
      name: 'CompleteMultipartUpload',
      method: 'POST',
      target: `/${bucket}/${upload.key}?uploadId=${upload.id}`,
      good: `<CompleteMultipartUpload>${part}</CompleteMultipartUpload>`,
      limitBytes: 4 * KiB * KiB,
    },
    {
      name: 'PutObjectTagging',
      method: 'PUT',
      target: `/${bucket}/${good}?tagging`,
      good: `<Tagging>${tag}</Tagging>`,
      limitBytes: 256 * KiB,
    },
    {
      name: 'PutBucketTagging',
      method: 'PUT',
      target: `/${bucket}?tagging`,
      good: `<Tagging>${tag}</Tagging>`,
      limitBytes: 256 * KiB,
    },
    {
      name: 'CreateBucket',
      method: 'PUT',
      target: '/made-by-enemy',
      good: '<CreateBucketConfiguration><Tags/></CreateBucketConfiguration>',
      limitBytes: 256 * KiB,
    },
  ]
  const post = ({ method, target }: Target, body: string | Uint8Array): Promise<Answer> =>
    send(server, { method, target, body, headers: [contentMd5(body)] })

  const broken = targets.flatMap((target) =>
    spoilers.map(([how, spoil]) => ({
      name: `${target.name}: ${how}`,
      verdict: '400 MalformedXML',
      act: () => post(target, spoil(target.good)),
    })),
  )
  const large = targets.flatMap((target) => [
    {
      name: `${target.name}: larger than its bound`,
      verdict: '400 MaxMessageLengthExceeded',
      act: () => post(target, `${target.good}${' '.repeat(target.limitBytes)}`),
    },
    {
      name: `${target.name}: a terabyte is announced, and answered before it comes`,
      verdict: '400 MaxMessageLengthExceeded',
      act: () => send(server, { method: target.method, target: target.target, length: 1e12, headers: [md5OfNothing] }),
    },
  ])
  const [deletion, completion, objectTags] = targets as [Target, Target, Target]
  const senseless: readonly (readonly [name: string, target: Target, body: string, verdict: string])[] = [
    ['no key', deletion, '<Delete></Delete>', '400 MalformedXML'],
    ['an empty key', deletion, '<Delete><Object><Key></Key></Object></Delete>', '400 MalformedXML'],
    ['1,001 keys', deletion, `<Delete>${'<Object><Key>x</Key></Object>'.repeat(1001)}</Delete>`, '400 MalformedXML'],
    ['no document', deletion, '', '400 MissingRequestBodyError|400 MalformedXML'],
    ['no part', completion, completed(''), '400 MalformedXML'],
    ['another ETag', completion, completed(part.replace(upload.etag, '0'.repeat(32))), '400 InvalidPart'],
    ['a part that never came', completion, completed(part.replace('>1<', '>2<')), '400 InvalidPart'],
    ['a part twice', completion, completed(part + part), '400 InvalidPartOrder'],
    ['10,001 parts', completion, completed(part.repeat(10_001)), '400 MalformedXML'],
    ...badCounts.map(
      (text) =>
        [
          `the part number ${text}`,
          completion,
          completed(part.replace('>1<', `>${text}<`)),
          '400 InvalidArgument|400 MalformedXML',
        ] as const,
    ),
    ['11 tags', objectTags, tagged(11), '400 InvalidTag|400 BadRequest'],
    ['a tag twice', objectTags, tagged(2).replaceAll(/t\d+/g, 't'), '400 InvalidTag'],
    ['a tag of 129 characters', objectTags, tagged(1).replace('t0', 't'.repeat(129)), '400 InvalidTag'],
  ]
  return [
    ...broken,
    ...large,
    ...senseless.map(([name, target, body, verdict]) => ({
      name: `${target.name}: ${name}`,
      verdict,
      act: () => post(target, body),
    })),
    {
      name: 'DeleteObjects: no digest',
      verdict: '400 InvalidRequest',
      act: () => send(server, { method: 'POST', target: deletion.target, body: deletion.good }),
    },
    {
      name: 'DeleteObjects: another Content-MD5',
      verdict: '400 BadDigest',
      act: () =>
        send(server, { method: 'POST', target: deletion.target, body: deletion.good, headers: [contentMd5('x')] }),
    },
    {
      name: 'CompleteMultipartUpload: no such upload',
      verdict: '404 NoSuchUpload',
      act: () => post({ ...completion, target: `/${bucket}/${upload.key}?uploadId=none` }, completion.good),
    },
  ]
}

export interface Stage {
  readonly bucket: string
  /** An object that every later request finds unharmed. */
  readonly good: string
  /** A bucket without objects, which a wrong DELETE would remove. */
  readonly hollow: string
  /** With one part. */
  readonly upload: Upload
}

export interface Upload {
  readonly key: string
  readonly id: string
  readonly etag: string
}

/** An upload of one small part. */
export async function startUpload(server: Server, bucket: string, key: string): Promise<Upload> {
  const { body } = await must(send(server, { method: 'POST', target: `/${bucket}/${key}?uploads` }))
  const id = element(body, 'UploadId') ?? ''
  const part = await must(
    send(server, { method: 'PUT', target: `/${bucket}/${key}?partNumber=1&uploadId=${id}`, body: 'a part' }),
  )
  return { key, id, etag: (part.headers.get('etag') ?? '').replaceAll('"', '') }
}

/** What is not a decimal number of a sensible size. */
export const badCounts = ['1e9', '0x10', '-0', '-1', '+5', '1.0', '9223372036854775808', '٥', '1 2', 'NaN'] as const

const md5OfNothing = contentMd5('')
const completed = (parts: string): string => `<CompleteMultipartUpload>${parts}</CompleteMultipartUpload>`
const tagged = (count: number): string =>
  `<Tagging><TagSet>${Array.from({ length: count }, (_, i) => `<Tag><Key>t${i}</Key><Value/></Tag>`).join('')}</TagSet></Tagging>`

const billionLaughs = `<?xml version="1.0"?><!DOCTYPE l [<!ENTITY a0 "ha">${Array.from(
  { length: 9 },
  (_, i) => `<!ENTITY a${i + 1} "${`&a${i};`.repeat(10)}">`,
).join('')}]>`

/** Ways to ruin a good document. Each of them leaves it within every bound of size. */
const spoilers: readonly (readonly [name: string, spoil: (good: string) => string | Uint8Array])[] = [
  ['cut short', (good) => good.slice(0, -3)],
  ['without its end', (good) => good.slice(0, good.lastIndexOf('</'))],
  ['two documents', (good) => good + good],
  ['another root', (good) => good.replace(/^<\w+/, '<Other').replace(/<\/\w+>$/, '</Other>')],
  ['text before it', (good) => `x${good}`],
  ['a billion laughs', (good) => billionLaughs + good.replace('><', '>&a9;<')],
  [
    'an external entity',
    (good) => `<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>${good.replace('><', '>&e;<')}`,
  ],
  ['an unknown entity', (good) => good.replace('><', '>&nbsp;<')],
  ['5,000 levels deep', (good) => good.replace('><', `>${'<a>'.repeat(5000)}${'</a>'.repeat(5000)}<`)],
  ['a character that XML has not', (good) => good.replace('><', '>\u0001<')],
  ['a reference to no character', (good) => good.replace('><', '>&#xFFFFFFFF;<')],
  ['an attribute twice', (good) => good.replace(/^(<\w+)/, '$1 a="1" a="2"')],
  ['bytes that are no UTF-8', (good) => Buffer.concat([Buffer.from(good), Buffer.from([0xff, 0xfe])])],
  ['UTF-16', (good) => Buffer.from(`\ufeff${good}`, 'utf16le')],
  ['JSON', () => '{"Delete":{}}'],
]
