import type { RegisterInput, RegisterOutput } from '../../src/testing/history/register-model.ts'
import { History, type CallId } from '../../src/testing/history/history.ts'

/**
 * A history of one register, event by event: `a write 1` and `a read` are calls of client a, `a = ok` and `a = 1` the
 * answer to its last one. What has no answer stays open.
 */
export function transcript(text: string): History<RegisterInput, RegisterOutput> {
  const history = new History<RegisterInput, RegisterOutput>()
  const calls = new Map<string, CallId>()
  for (const line of text.trim().split(/\s*[;\n]\s*/)) {
    const [client = '', what = '', ...rest] = line.split(' ')
    if (what === '=') history.answered(calls.get(client)!, outputOf(rest[0]))
    else calls.set(client, history.call({ client, key: 'k', input: inputOf(what, rest) }))
  }
  return history
}

function inputOf(what: string, [first, second]: readonly string[]): RegisterInput {
  switch (what) {
    case 'read':
    case 'delete':
      return { kind: what }
    case 'write':
      return { kind: 'write', value: Number(first) }
    case 'swap':
      return { kind: 'compare-and-swap', from: first === 'none' ? null : Number(first), to: Number(second) }
    default:
      throw new Error(`no register does ${what}`)
  }
}

function outputOf(text: string | undefined): RegisterOutput {
  if (text === 'ok' || text === 'refused') return text
  return { value: text === 'none' ? null : Number(text) }
}
