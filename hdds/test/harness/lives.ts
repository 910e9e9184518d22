import { auditDatanode } from './audit.ts'
import { BlockModel } from './block-model.ts'
import { Machine } from './machine.ts'
import type { MachineOptions } from './machine.ts'
import { Program } from './program.ts'

/** Lives of a datanode, each ended by a crash, a kill or an orderly stop; the promises are checked at each start. */
export async function runLives(options: MachineOptions, lives = 4): Promise<Machine> {
  const machine = new Machine(options)
  const { node, simulation } = machine
  const random = simulation.random.fork('program')
  const model = new BlockModel()
  let isDead = false
  const program = new Program({ random, model, isDead: () => isDead })
  await machine.run(async () => {
    for (let life = 0; life < lives; life++) {
      isDead = false
      let sitesLeft = random.chance(0.6) ? random.below(120) : Infinity
      const verdict = random.chance(0.7) ? 'crash' : 'kill'
      node.onSite = () => {
        if (sitesLeft-- > 0) return 'go-on'
        sitesLeft = Infinity
        isDead = true
        return verdict
      }
      node.boot()
      const outcome = await node.whileUp(
        (async () => {
          const datanode = await machine.start()
          await model.check(datanode)
          await program.run(datanode, 2 + random.below(6))
          if (random.chance(0.3)) await datanode.close()
        })(),
      )
      if (outcome === 'down') continue
      isDead = true
      if (random.chance(0.7)) node.crash()
      else node.kill()
    }
    node.onSite = () => 'go-on'
    isDead = false
    const datanode = await machine.start()
    await model.check(datanode)
    await auditDatanode(datanode)
  })
  return machine
}
