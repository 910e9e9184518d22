/** This package's section of docs/benchmark.md; the rest of the page is written by `npm run bench`. */

import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

const page = join(import.meta.dirname, '../../docs/benchmark.md')
const heading = '\n## Raft\n'

/** The section is the last one of the page. */
export async function saveSection(text: string): Promise<void> {
  const [before = ''] = (await readFile(page, 'utf8')).split(heading)
  const head = await readFile(join(import.meta.dirname, 'page.md'), 'utf8')
  await writeFile(page, `${before}${heading}\n${head}\n${text}`)
}
