/** This package's section of docs/benchmark.md; the rest of the page is written by `npm run bench`. */

import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

const page = join(import.meta.dirname, '../../docs/benchmark.md')
const heading = '\n## Raft\n'

/** Puts the section in its place; those of other benchmarks stay. */
export async function saveSection(text: string): Promise<void> {
  const [before = '', after = ''] = (await readFile(page, 'utf8')).split(heading)
  const others = after.includes('\n## ') ? after.slice(after.indexOf('\n## ')) : ''
  const head = await readFile(join(import.meta.dirname, 'page.md'), 'utf8')
  await writeFile(page, `${before}${heading}\n${head}\n${text}${others}`)
}
