/** `o3 admin balancer …` */

import type { Command } from 'commander'
import type { Environment } from '../../command-line.ts'
import { bytesText, counted } from '../../output/quantities.ts'
import { askScm } from './define.ts'

export function addBalancer(admin: Command, env: Environment): void {
  const balancer = admin.command('balancer').description('moves containers from full datanodes to empty ones')
  askScm(balancer.command('status').description('whether it moves anything'), env, async ({ control, out }) => {
    const status = await control.scm.balancer()
    const { on, active, meanUsedShare, largestDeviation, movesUnderWay, moves, movedBytes } = status
    out.record(status, [
      ['balancer', on ? (active ? 'on, moving' : 'on, nothing to do') : 'off'],
      ['space used', `${percent(meanUsedShare)} on average, ${percent(largestDeviation)} off at most`],
      ['under way', counted(movesUnderWay, 'move')],
      ['moved', `${counted(moves, 'container')}, ${bytesText(movedBytes)}, since SCM has this leader`],
    ])
  })
  for (const [name, to] of [
    ['start', 'on'],
    ['stop', 'off'],
  ] as const) {
    askScm(balancer.command(name).description(`switch it ${to}`), env, async ({ control, out }) => {
      await control.scm.setBalancer(to)
      out.done({ on: to === 'on' }, `the balancer is ${to} until SCM has another leader`)
    })
  }
}

function percent(share: number): string {
  return `${(share * 100).toFixed(1)} %`
}
