/** `o3 admin safemode …` and `o3 admin scm deleted-blocks`. */

import type { Command } from 'commander'
import type { Environment } from '../../command-line.ts'
import { counted } from '../../output/quantities.ts'
import { until } from '../../output/until.ts'
import { askScm } from './define.ts'

export function addSafemode(admin: Command, env: Environment): void {
  const safemode = admin.command('safemode').description('what a new leader of SCM still waits for')
  askScm(safemode.command('status').description('whether it is on, and why'), env, async ({ control, out }) => {
    const status = await control.scm.safemode()
    out.record(status, [
      ['safemode', status.on ? 'on: what is there is read, and no new block is handed out' : 'off'],
      ['repairs', status.repairs ? 'on' : 'wait until datanodes have said what they have'],
      ...status.reasons.map((reason) => ['waits for', reason] as const),
    ])
  })
  askScm(safemode.command('wait').description('until it is off'), env, async ({ control, out }) => {
    const look = () => control.scm.safemode()
    const status = await until(
      look,
      ({ on }) => !on,
      ({ reasons }) => `waits for ${reasons.join('; ')}`,
      out,
    )
    out.done(status, 'safemode is off')
  })
  askScm(safemode.command('exit').description('end it now'), env, async ({ control, out }) => {
    await control.scm.exitSafemode()
    out.done({ on: false }, 'safemode is off until SCM has another leader')
  })
}

export function addDeletedBlocks(scm: Command, env: Environment): void {
  const line = scm.command('deleted-blocks').description('deletions that are not yet carried out everywhere')
  askScm(line, env, async ({ control, out }) => {
    const summary = await control.scm.deletedBlocks()
    out.record(summary, [
      ['transactions', String(summary.transactions)],
      ['blocks', String(summary.blocks)],
      ['held', `${summary.heldTransactions} wait for their container to be closed, copied or made whole`],
      ...summary.waitingFor.map(
        ({ datanode, transactions }) => [datanode, `${counted(transactions, 'transaction')} to carry out`] as const,
      ),
    ])
  })
}
