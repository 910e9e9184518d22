/**
 * `npm run compat [-- --cluster] [--datanodes 6] [name …]`: every client's session against one server, or a cluster of one
 * process per role, with three copies where there are so many datanodes, started as a user starts it. A client that is not installed fails its suite: a lane that cannot run is not a lane that
 * passed.
 */

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { awsCli } from './clients/aws-cli.ts'
import { awsSdk } from './clients/aws-sdk.ts'
import { minio } from './clients/minio.ts'
import { rclone } from './clients/rclone.ts'
import { restic } from './clients/restic.ts'
import { s3cmd } from './clients/s3cmd.ts'
import { s3fs } from './clients/s3fs.ts'
import { startServer } from './harness/server.ts'
import { runSuite } from './harness/suite.ts'
import { makeTree } from './harness/tree.ts'

const suites = [awsSdk, minio, awsCli, s3cmd, rclone, restic, s3fs]
const treeFiles = 2000

// Clients read these before what they are told.
for (const name of ['AWS_CA_BUNDLE', 'AWS_PROFILE', 'AWS_SESSION_TOKEN', 'AWS_ENDPOINT_URL']) delete process.env[name]
process.env['AWS_EC2_METADATA_DISABLED'] = 'true'

const { values, positionals: wanted } = parseArgs({
  allowPositionals: true,
  options: { cluster: { type: 'boolean' }, datanodes: { type: 'string' } },
})
const { cluster = false, datanodes } = values
const processes = cluster || datanodes !== undefined ? 'one-per-role' : 'one'
const args = datanodes === undefined ? [] : ['--datanodes', datanodes]
const chosen = suites.filter(({ name }) => wanted.length === 0 || wanted.includes(name))
if (chosen.length === 0) throw new Error(`no such suite; there are ${suites.map(({ name }) => name).join(', ')}`)

const root = mkdtempSync(join(tmpdir(), 'o3-compat-'))
let passed = 0
let failed = 0
try {
  const tree = join(root, 'tree')
  makeTree(tree, { files: treeFiles })
  const server = await startServer({ directory: join(root, 'data'), processes, args })
  for (const suite of chosen) {
    const result = await runSuite(suite, server, tree)
    passed += result.passed
    failed += result.failed
  }
  const code = await server.stop()
  if (code === 0) passed += 1
  else {
    failed += 1
    process.stdout.write(`FAIL  the server ended with ${code}\n${server.output()}\n`)
  }
} finally {
  rmSync(root, { recursive: true, force: true })
}
process.stdout.write(`${passed} passed, ${failed} failed\n`)
process.exitCode = failed === 0 ? 0 : 1
