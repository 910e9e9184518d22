/** Heads that two readers could understand in two ways, that are no HTTP, or that somebody else signed. */

import { encode, head, headText, send } from '../harness/requests.ts'
import type { Request } from '../harness/requests.ts'
import type { Server } from '../harness/server.ts'
import { sha256, sign } from '../harness/sigv4.ts'
import { Wire } from '../harness/wire.ts'
import type { Answer } from '../harness/wire.ts'
import type { Stage } from './bad-documents.ts'
import type { Attack } from './bad-input.ts'

const minuteMs = 60_000

export function badHeads(server: Server, { bucket, good }: Stage): readonly Attack[] {
  const object = `/${bucket}/${good}`
  const deletion: Request = { method: 'DELETE', target: object }
  const written: Request = { method: 'PUT', target: `/${bucket}/never`, body: 'x' }
  const invalid = '400 InvalidRequest'
  /** The signed request, with its text changed. */
  const changed = (name: string, verdict: string, change: (text: string) => string, request = deletion): Attack => ({
    name,
    verdict,
    act: () => sendText(server, change(encode(server, request).toString('latin1'))),
  })
  const adding = (line: string, verdict = invalid, request = deletion): Attack =>
    changed(JSON.stringify(line.slice(0, 60)), verdict, (text) => text.replace('\r\n', `\r\n${line}\r\n`), request)
  const again = (name: string, request = deletion): Attack =>
    changed(
      `${name} twice`,
      '400 InvalidRequest|400 InvalidArgument',
      (text) => text.replace(new RegExp(`^${name}: .*\r\n`, 'm'), (line) => line + line),
      request,
    )
  return [
    again('host'),
    again('authorization'),
    again('x-amz-date'),
    again('x-amz-content-sha256'),
    again('x-amz-meta-a', { ...written, headers: [['x-amz-meta-a', 'b']] }),
    again('range', { method: 'GET', target: object, headers: [['range', 'bytes=0-1']] }),
    changed('Host with another one before it', invalid, (text) => text.replace('host:', 'Host: evil\r\nhost:')),
    changed('no Host', invalid, (text) => text.replace(/^host: .*\r\n/m, '')),
    changed('an absolute target', invalid, (text) => text.replace(object, `http://evil${object}`)),
    changed('a target in the form of CONNECT', invalid, (text) => text.replace(object, 'evil:80')),
    changed('the target *', invalid, (text) => text.replace(object, '*')),
    changed('a raw space in the target', invalid, (text) => text.replace(object, `${object} x`)),
    changed('raw bytes in the target', invalid, (text) => text.replace(object, `${object}\xc3\xa4`)),
    changed('a fragment in the target', '400 InvalidURI', (text) => text.replace(object, `${object}#x`)),
    changed('HTTP/0.9', invalid, () => `DELETE ${object}\r\n\r\n`),
    changed('HTTP/2 on the same port', invalid, () => 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'),
    changed('a TLS greeting', invalid, () => '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03'.padEnd(520, '\x7f')),
    changed('bare line feeds', invalid, (text) => text.replaceAll('\r\n', '\n')),
    changed('one bare line feed', invalid, (text) => text.replace('\r\n', '\n')),
    changed('a lone carriage return', invalid, (text) => text.replace('\r\nx-amz-date', '\rx-amz-date')),
    adding('x-folded: a\r\n b'),
    adding('x space : a'),
    adding('x-amz-date : 20200101T000000Z'),
    adding('x-nul: a\0b'),
    adding(': no name'),
    adding('no colon'),
    adding('transfer-encoding: gzip, chunked', '501 NotImplemented|400 InvalidRequest', written),
    adding('transfer-encoding: chunked', invalid, written),
    adding('transfer-encoding: gzip, chunked', '501 NotImplemented|400 InvalidRequest'),
    adding('transfer-encoding: xchunked', '501 NotImplemented|400 InvalidRequest'),
    adding('transfer-encoding: chunked, identity', '501 NotImplemented|400 InvalidRequest'),
    adding('transfer-encoding: chunked\r\ntransfer-encoding: chunked'),
    adding('expect: a miracle', '417 InvalidRequest|400 InvalidRequest'),
    adding('x-amz-copy-source: /a/b', '403 AccessDenied', written),
    adding('x-amz-meta-unsigned: a', '403 AccessDenied', written),
    {
      name: '64 KiB in one header',
      verdict: '400 RequestHeaderSectionTooLarge',
      act: () => send(server, { ...deletion, unsigned: [['x-large', 'x'.repeat(64 * 1024)]] }),
    },
    {
      name: '300 headers',
      verdict: '400 RequestHeaderSectionTooLarge',
      act: () => send(server, { ...deletion, unsigned: Array.from({ length: 300 }, (_, i) => [`x${i}`, ''] as const) }),
    },
    {
      name: 'a million headers, until refused',
      verdict: '400 RequestHeaderSectionTooLarge',
      act: () => millionHeaders(server, head(server, deletion).text),
    },
    {
      name: 'a target of 64 KiB',
      verdict: '400 RequestHeaderSectionTooLarge',
      act: () => send(server, { ...deletion, target: `${object}?${'x'.repeat(64 * 1024)}` }),
    },
    {
      name: 'a method that is none',
      verdict: '405 MethodNotAllowed|400 InvalidRequest',
      act: () => send(server, { ...deletion, method: 'PURGE' }),
    },
    {
      name: 'TRACE',
      verdict: '405 MethodNotAllowed|400 InvalidRequest',
      act: () => send(server, { ...deletion, method: 'TRACE' }),
    },
    ...signatures(server, object, deletion),
  ]
}

function signatures(server: Server, object: string, deletion: Request): readonly Attack[] {
  const forged = '403 SignatureDoesNotMatch'
  const with1 = (name: string, verdict: string, change: (text: string) => string): Attack => ({
    name,
    verdict,
    act: () => sendText(server, change(encode(server, deletion).toString('latin1'))),
  })
  return [
    with1('no signature', '403 AccessDenied', (text) => text.replace(/^authorization: .*\r\n/m, '')),
    with1('an empty Authorization', '400 AuthorizationHeaderMalformed|400 InvalidArgument|403 AccessDenied', (text) =>
      text.replace(/^authorization: .*\r\n/m, 'authorization: \r\n'),
    ),
    with1('Basic', '400 InvalidArgument|400 InvalidRequest|400 AuthorizationHeaderMalformed', (text) =>
      text.replace(/^authorization: .*\r\n/m, 'authorization: Basic eDp5\r\n'),
    ),
    with1('one digit of the signature', forged, (text) =>
      text.replace(/(Signature=)(.)/, (_, name: string, digit: string) => name + (digit === '0' ? '1' : '0')),
    ),
    with1('a signature that is cut', forged, (text) => text.replace(/(Signature=[0-9a-f]{32})[0-9a-f]{32}/, '$1')),
    with1('a key that is none', '403 InvalidAccessKeyId', (text) =>
      text.replace(/Credential=[^/]+/, 'Credential=nobody'),
    ),
    with1('another region', '400 AuthorizationHeaderMalformed', (text) => text.replace('/us-east-1/', '/eu-west-1/')),
    with1('another service', '400 AuthorizationHeaderMalformed', (text) => text.replace('/s3/aws4', '/iam/aws4')),
    with1('another method than was signed', forged, (text) => text.replace('DELETE', 'HEAD').replace('HEAD', 'GET')),
    with1('another target than was signed', forged, (text) => text.replace(object, `${object}x`)),
    with1('host left unsigned', '403 AccessDenied|403 SignatureDoesNotMatch|400 InvalidRequest', (text) =>
      text.replace('SignedHeaders=host;', 'SignedHeaders='),
    ),
    {
      name: 'signed 16 minutes ago',
      verdict: '403 RequestTimeTooSkewed',
      act: () => send(server, { ...deletion, now: new Date(Date.now() - 16 * minuteMs) }),
    },
    {
      name: 'signed in 16 minutes',
      verdict: '403 RequestTimeTooSkewed',
      act: () => send(server, { ...deletion, now: new Date(Date.now() + 16 * minuteMs) }),
    },
    {
      name: 'another secret',
      verdict: forged,
      act: () => {
        const credentials = { accessKey: server.accessKey, secretKey: 'another secret' }
        const { headers } = sign(credentials, `${server.host}:${server.port}`, {
          method: 'DELETE',
          target: object,
          headers: [],
          payload: sha256(''),
        })
        return sendText(server, headText('DELETE', object, headers))
      },
    },
    {
      name: 'credentials in header and query',
      verdict: '400 InvalidArgument|400 InvalidRequest',
      act: () => send(server, { ...deletion, target: `${object}?X-Amz-Algorithm=AWS4-HMAC-SHA256` }),
    },
  ]
}

async function sendText(server: Server, text: string): Promise<Answer> {
  const wire = await Wire.open(server)
  try {
    void wire.write(Buffer.from(text, 'latin1'))
    return await wire.answer()
  } finally {
    wire.destroy()
  }
}

/** The head never ends; the server ends it. */
async function millionHeaders(server: Server, text: string): Promise<Answer> {
  const wire = await Wire.open(server)
  try {
    await wire.write(text.slice(0, -2))
    for (let i = 0; i < 1_000_000 && wire.socket.writable && wire.isQuiet; i += 100) {
      await wire.write(Array.from({ length: 100 }, (_, j) => `x-${i + j}: y\r\n`).join(''))
    }
    return await wire.answer()
  } finally {
    wire.destroy()
  }
}
