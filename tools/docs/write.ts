import { mkdir, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { GENERATED } from './generated.ts'

for (const page of GENERATED) {
  await mkdir(dirname(page.path), { recursive: true })
  await writeFile(page.path, await page.render())
  process.stdout.write(`${page.path}\n`)
}
