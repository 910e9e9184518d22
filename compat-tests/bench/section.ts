/** One benchmark's section of docs/benchmark.md. */

import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

const page = join(import.meta.dirname, '../../docs/benchmark.md')

/** Puts the section in the place of the one with that heading, or at the end. `head` is the path of what stands above the figures. */
export async function saveSection(heading: string, head: string, figures: string): Promise<void> {
  const [top = '', ...sections] = (await readFile(page, 'utf8')).split('\n## ')
  const fresh = `${heading}\n\n${await readFile(head, 'utf8')}\n${figures}`
  const at = sections.findIndex((section) => section.startsWith(`${heading}\n`))
  const kept = at < 0 ? [...sections, fresh] : sections.with(at, fresh)
  await writeFile(
    page,
    [top, ...kept.map((section) => section.trimEnd())].join('\n\n## ').replace(/\n{3,}/g, '\n\n') + '\n',
  )
}
