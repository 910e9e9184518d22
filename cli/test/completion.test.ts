import { spawnSync } from 'node:child_process'
import { describe, expect, test } from 'vitest'
import { bashCompletion } from '../src/completion/bash.ts'
import { fishCompletion } from '../src/completion/fish.ts'
import { wordsOf } from '../src/completion/words.ts'
import { zshCompletion } from '../src/completion/zsh.ts'
import { makeProgram } from '../src/program.ts'

const commands = wordsOf(await makeProgram({}))

describe('bash', () => {
  const script = bashCompletion(commands)

  test('reads the script', () => {
    expect(spawnSync('bash', ['-n'], { input: script })).toMatchObject({ status: 0 })
  })

  test.each([
    ['o3 ', 'start sh user'],
    ['o3 sh ', 'volume bucket key'],
    ['o3 sh k', 'key'],
    ['o3 sh key ', 'put get cat list'],
    ['o3 sh key put --con', '--content-type'],
    ['o3 sh --json key li', 'list'],
    ['o3 completion ', ''],
  ])('completes %j', (line, expected) => {
    const typed = line.split(' ')
    const words = typed.map((word) => `'${word}'`).join(' ')
    const ask = `${script}\nCOMP_WORDS=(${words}); COMP_CWORD=${typed.length - 1}; _o3; printf '%s\\n' "\${COMPREPLY[@]}"`
    const offered = spawnSync('bash', ['--norc', '-c', ask], { encoding: 'utf8' }).stdout.trim().split('\n')
    expect(offered).toEqual(expect.arrayContaining(expected.split(' ')))
    const last = typed.at(-1) as string
    for (const word of offered) expect(word.startsWith(last)).toBe(true)
  })
})

test('every command and every flag is in each script', () => {
  for (const script of [bashCompletion(commands), zshCompletion(commands), fishCompletion(commands)]) {
    for (const { path, options } of commands) {
      expect(script).toContain(path)
      for (const { text } of options) expect(script).toContain(text.slice(2))
    }
  }
})
