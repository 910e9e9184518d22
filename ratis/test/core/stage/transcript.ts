/**
 * A transcript: text, then blocks of
 *
 *     command
 *     ----
 *     what happened
 *
 * with an empty line behind each. Lines that begin with `#` are for the reader.
 */

import { Stage } from './stage.ts'

/** Plays the transcript and writes down what happens now. Equal to the text when nothing has changed. */
export function play(text: string): string {
  const stage = new Stage()
  const out: string[] = []
  const lines = text.replace(/\n+$/, '').split('\n')
  for (let at = 0; at < lines.length; at++) {
    const line = lines[at] as string
    out.push(line)
    if (line === '' || line.startsWith('#')) continue
    // Several commands share one result: what the last one does.
    while (lines[at + 1] !== '----' && at + 1 < lines.length && lines[at + 1] !== '') {
      stage.direct(lines[at] as string)
      out.push(lines[++at] as string)
    }
    const result = stage.direct(lines[at] as string)
    out.push('----', result, '')
    if (lines[at + 1] === '----') at++
    while (at + 1 < lines.length && lines[at + 1] !== '') at++
    if (lines[at + 1] === '') at++
  }
  return `${out.join('\n').replace(/\n+$/, '')}\n`
}
