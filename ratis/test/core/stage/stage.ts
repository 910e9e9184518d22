/**
 * The stage of the transcripts: members, a network that does nothing by itself, and the director's commands.
 *
 * | command | does |
 * |---|---|
 * | `members a b c [learners=d] [random=a:0.5,b:0] [priority=a:2] [OPTION=n …]` | begins; elections are due after 1 + random timeouts |
 * | `join d` | a new, empty member that knows nobody |
 * | `tick a 500` | lets a's clock run on |
 * | `stop a 700` | time passes, and a does not notice (SIGSTOP) |
 * | `full a`, `roomy a` | a has no room for a snapshot; has again |
 * | `run 300` | all clocks together, 50 ms at a time; messages arrive at once |
 * | `stable` | messages arrive until there are none |
 * | `deliver [a>b] [KIND]` | those that are under way now arrive, or of a to b, or of a kind |
 * | `drop …`, `again …` | the same choice is lost; arrives and stays under way too |
 * | `cut a`, `cut a b`, `cut a>b`, `heal` | nothing passes between a and all, a and b, from a to b |
 * | `propose-with a 1000 x` | with so many external bytes |
 * | `close-snapshots a` | no pieces of those that it has offered any more |
 * | `propose a x`, `read a 1`, `change a voters=a,b learners=c`, `transfer a [b]` | |
 * | `hold a`, `persist a [n]`, `release a` | a's writes wait; the oldest complete; no more waiting |
 * | `hold-reads a`, `answer a` | so do its reads of entries and snapshots |
 * | `crash a`, `restart a`, `blank a`, `damage a 3` | what was not written is gone; a new disk; entries from 3 on are bad |
 * | `copy a`, `old a` | a's disk is copied; it is what it was then |
 * | `compact a 5` | a's log begins behind 5 |
 * | `log a`, `status`, `progress a`, `memory a`, `sent` | shows; `sent` what is under way |
 * | `quietly …` | any of these, without what happens |
 */

import { defaultRaftOptions } from '../../../src/core/options.ts'
import type { Message } from '../../../src/core/message.ts'
import type { RaftOptions } from '../../../src/core/raft.ts'
import { noConfiguration } from '../../../src/core/configuration.ts'
import { showEntry, StageMember } from './member.ts'
import { showConfiguration, showMessage } from './show.ts'

type Words = readonly string[]

export class Stage {
  private members = new Map<string, StageMember>()
  private underWay: Message[] = []
  private cuts = new Set<string>()
  private lines: string[] = []
  private randoms = new Map<string, number>()
  private readonly commands: Readonly<Record<string, (words: Words) => void>> = {
    members: (words) => this.begin(words),
    join: ([id]) => this.add(id as string, { configuration: noConfiguration, mayVote: false, options: {} }),
    tick: ([id, ms]) => this.member(id).tick(Number(ms)),
    stop: ([id, ms]) => void (this.member(id).nowMs += Number(ms)),
    full: ([id]) => void (this.member(id).isFull = true),
    roomy: ([id]) => void (this.member(id).isFull = false),
    'close-snapshots': ([id]) => this.member(id).closeSnapshots(),
    memory: ([id]) => this.say(`${this.member(id).core.status().tailBytes} bytes of entries in memory`),
    run: ([ms]) => this.run(Number(ms)),
    stable: () => this.stable(),
    deliver: (words) => this.deliver(words, 'gone'),
    again: (words) => this.deliver(words, 'stays'),
    drop: (words) => this.drop(words),
    cut: (words) => this.cut(words),
    heal: () => this.cuts.clear(),
    propose: ([id, ...text]) => this.propose(id, text.join(' '), undefined),
    'propose-with': ([id, bytes, ...text]) => this.propose(id, text.join(' '), Number(bytes)),
    read: ([id, read]) => this.member(id).read(Number(read)),
    change: (words) => this.change(words),
    transfer: ([id, to]) => this.transfer(id, to),
    hold: ([id]) => void (this.member(id).holdsWrites = true),
    persist: ([id, count]) => this.member(id).persist(Number(count ?? Infinity)),
    release: ([id]) => this.release(id),
    'hold-reads': ([id]) => void (this.member(id).holdsReads = true),
    answer: ([id]) => this.member(id).answerReads(),
    crash: ([id]) => this.member(id).crash(),
    restart: ([id]) => this.member(id).restart(),
    blank: ([id]) => this.member(id).blank(),
    copy: ([id]) => this.member(id).copyDisk(),
    old: ([id]) => this.member(id).becomeOld(),
    damage: ([id, from]) => this.member(id).damage(Number(from)),
    compact: ([id, index]) => this.member(id).compact(Number(index)),
    log: ([id]) => this.showLog(id),
    status: () => this.showStatus(),
    progress: ([id]) => this.showProgress(id),
    sent: () => {
      for (const message of this.underWay) this.say(`${message.from} ${showMessage(message)}`)
    },
  }

  /** Does one command; returns what happened, a line each, or `ok`. */
  direct(command: string): string {
    const words = command.trim().split(/\s+/)
    const isQuiet = words[0] === 'quietly'
    const [verb, ...rest] = isQuiet ? words.slice(1) : words
    const act = this.commands[verb as string]
    if (act === undefined) throw new Error(`there is no command ${verb}`)
    this.lines = []
    act(rest)
    return isQuiet || this.lines.length === 0 ? 'ok' : this.lines.join('\n')
  }

  private say(line: string): void {
    this.lines.push(line)
  }

  private member(id: string | undefined): StageMember {
    const member = this.members.get(id ?? '')
    if (member === undefined) throw new Error(`there is no member ${id}`)
    return member
  }

  private begin(words: Words): void {
    this.members = new Map()
    this.underWay = []
    this.cuts = new Set()
    const { ids, settings } = parse(words)
    const learners = listOf(settings.get('learners'))
    this.randoms = pairsOf(settings.get('random'))
    const priorities = pairsOf(settings.get('priority'))
    const options: Record<string, number> = {}
    for (const [name, value] of settings) if (name in defaultRaftOptions) options[name] = Number(value)
    if (priorities.size > 0) delete options['priority']
    for (const id of [...ids, ...learners]) {
      const priority = priorities.get(id)
      this.add(id, {
        configuration: { ...noConfiguration, voters: ids, learners },
        mayVote: true,
        options: priority === undefined ? options : { ...options, priority },
      })
    }
  }

  private add(
    id: string,
    start: {
      readonly configuration: typeof noConfiguration
      readonly mayVote: boolean
      readonly options: Partial<RaftOptions>
    },
  ): void {
    const options = { ...defaultRaftOptions, ...start.options, id, random: () => this.randoms.get(id) ?? 0 }
    const member = new StageMember(options, start, {
      say: (line) => this.say(line),
      post: (message) => {
        if (!this.isCut(message)) this.underWay.push(message)
      },
    })
    this.members.set(id, member)
    this.quietly(() => member.drain())
  }

  /** That members begin as followers is no news. */
  private quietly(act: () => void): void {
    const { lines } = this
    this.lines = []
    act()
    this.lines = lines
  }

  private run(ms: number): void {
    for (let at = 0; at < ms; at += 50) {
      for (const member of this.members.values()) member.tick(Math.min(50, ms - at))
      this.stable()
    }
  }

  private stable(): void {
    for (let steps = 0; this.underWay.length > 0; steps++) {
      if (steps > 10_000) throw new Error('the members never come to rest')
      this.arrive(this.underWay.shift() as Message)
    }
  }

  private arrive(message: Message): void {
    if (!this.isCut(message)) this.members.get(message.to)?.step(message)
  }

  private deliver(words: Words, then: 'gone' | 'stays'): void {
    const chosen = this.underWay.filter(chooses(words))
    if (then === 'gone') this.underWay = this.underWay.filter((message) => !chosen.includes(message))
    for (const message of chosen) this.arrive(message)
  }

  private drop(words: Words): void {
    const isChosen = chooses(words)
    this.underWay = this.underWay.filter((message) => !isChosen(message))
  }

  private isCut({ from, to }: Message): boolean {
    return this.cuts.has(`${from}>${to}`)
  }

  private cut([first, second]: Words): void {
    const [from, to] = (first ?? '').split('>') as [string, string | undefined]
    if (to !== undefined) this.cuts.add(`${from}>${to}`)
    else {
      for (const other of second === undefined ? this.members.keys() : [second]) {
        this.cuts.add(`${from}>${other}`).add(`${other}>${from}`)
      }
    }
    this.underWay = this.underWay.filter((message) => !this.isCut(message))
  }

  /** `sizeBytes`: of what belongs to the entry and is elsewhere. */
  private propose(id: string | undefined, text: string, sizeBytes: number | undefined): void {
    const member = this.member(id)
    const external = sizeBytes === undefined ? undefined : { sizeBytes }
    const proposed = member.core.propose([Buffer.from(text, 'latin1')], [external])
    if (proposed.kind === 'refused') this.say(`${id} refuses: ${proposed.reason}`)
    member.drain()
  }

  private change([id, ...words]: Words): void {
    const { settings } = parse(words)
    const member = this.member(id)
    const proposed = member.core.changeMembership({
      voters: listOf(settings.get('voters')),
      learners: listOf(settings.get('learners')),
      addresses: {},
    })
    if (proposed.kind === 'refused') this.say(`${id} refuses: ${proposed.reason}`)
    member.drain()
  }

  private transfer(id: string | undefined, to: string | undefined): void {
    const member = this.member(id)
    const reason = member.core.transferLeadership(to)
    if (reason !== undefined) this.say(`${id} refuses: ${reason}`)
    member.drain()
  }

  private release(id: string | undefined): void {
    const member = this.member(id)
    member.holdsWrites = false
    member.holdsReads = false
    member.persist(Infinity)
    member.answerReads()
  }

  private showLog(id: string | undefined): void {
    const { entries, place } = this.member(id).disk
    if (place.index > 0) this.say(`behind ${place.index}@${place.term}`)
    this.say(entries.map(showEntry).join(' ') || 'empty')
  }

  private showStatus(): void {
    for (const { core, isUp, id } of this.members.values()) {
      const { role, term, lastIndex, commitIndex, configuration, mayVote, leader } = core.status()
      const of = role === 'follower' ? ` of ${leader ?? 'nobody'}` : ''
      const facts = `term ${term}, last ${lastIndex}, committed ${commitIndex}`
      const group = showConfiguration(configuration)
      this.say(
        isUp ? `${id} ${role}${of}, ${facts}, group ${group}${mayVote ? '' : ', may not vote'}` : `${id} is down`,
      )
    }
  }

  private showProgress(id: string | undefined): void {
    for (const { id: other, state, matchIndex, mayVote, isActive } of this.member(id).core.status().members) {
      this.say(`${other} ${state}, has ${matchIndex}${isActive ? '' : ', silent'}${mayVote ? '' : ', may not vote'}`)
    }
  }
}

function chooses(words: Words): (message: Message) => boolean {
  const link = words.find((word) => word.includes('>'))
  const kind = words.find((word) => !word.includes('>'))
  return (message) =>
    (link === undefined || link === `${message.from}>${message.to}`) && (kind === undefined || kind === message.kind)
}

function parse(words: Words): { readonly ids: readonly string[]; readonly settings: ReadonlyMap<string, string> } {
  const settings = new Map<string, string>()
  for (const word of words) {
    const at = word.indexOf('=')
    if (at > 0) settings.set(word.slice(0, at), word.slice(at + 1))
  }
  return { ids: words.filter((word) => !word.includes('=')), settings }
}

const listOf = (text: string | undefined): readonly string[] =>
  text === undefined || text === '' ? [] : text.split(',')

function pairsOf(text: string | undefined): Map<string, number> {
  return new Map(
    listOf(text)
      .map((pair) => pair.split(':') as [string, string])
      .map(([id, n]) => [id, Number(n)]),
  )
}
