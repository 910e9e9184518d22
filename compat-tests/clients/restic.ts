import { join } from 'node:path'
import { run } from '../harness/command.ts'
import { expect } from '../harness/suite.ts'
import type { Session, Suite } from '../harness/suite.ts'
import { expectSameTree } from '../harness/tree.ts'

const bucket = 'restic-bucket'

function backup({ server, scratch }: Session, ...args: readonly string[]): Promise<string> {
  return run(
    'restic',
    ['--repo', `s3:${server.endpoint}/${bucket}/repo`, '--cache-dir', join(scratch, 'cache'), ...args],
    {
      env: {
        AWS_ACCESS_KEY_ID: server.accessKey,
        AWS_SECRET_ACCESS_KEY: server.secretKey,
        AWS_DEFAULT_REGION: 'us-east-1',
        RESTIC_PASSWORD: 'a password for this test',
      },
    },
  )
}

export const restic: Suite = {
  name: 'restic',
  steps: [
    { name: 'makes a repository (and its bucket)', run: async (s) => void (await backup(s, 'init')) },
    { name: 'backs up 2,000 files', run: async (s) => void (await backup(s, 'backup', s.tree)) },
    {
      name: 'backs up again and finds nothing new',
      run: async (s) => {
        const output = await backup(s, 'backup', '--json', s.tree)
        const summary = output.trim().split('\n').at(-1) ?? '{}'
        const { files_new: fresh, files_changed: changed } = JSON.parse(summary) as Record<string, number>
        expect(fresh === 0 && changed === 0, summary)
      },
    },
    { name: 'verifies every byte of the repository', run: async (s) => void (await backup(s, 'check', '--read-data')) },
    {
      name: 'restores, byte for byte',
      run: async (s) => {
        await backup(s, 'restore', 'latest', '--target', join(s.scratch, 'restored'))
        expectSameTree(join(s.scratch, 'restored', s.tree), s.tree)
      },
    },
    {
      name: 'forgets and prunes',
      run: async (s) => {
        await backup(s, 'forget', '--keep-last', '1', '--prune')
        await backup(s, 'check')
      },
    },
  ],
}
