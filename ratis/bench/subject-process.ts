import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import type { Load, Measured } from './load.ts'
import type { Answer, Question, Usage } from './subject.ts'

export interface SubjectProcessOptions {
  /** A program that calls `serveSubject`. */
  readonly program: string
  readonly given: unknown
}

/** The benchmark's end of a `Subject`. */
export class SubjectProcess {
  private readonly child: ChildProcess

  private constructor(child: ChildProcess) {
    this.child = child
  }

  /** Resolves when it is ready to be measured. */
  static async start({ program, given }: SubjectProcessOptions): Promise<SubjectProcess> {
    const child = fork(program, [JSON.stringify(given)])
    const subject = new SubjectProcess(child)
    await subject.next('open')
    return subject
  }

  async measure(load: Load): Promise<Measured> {
    this.ask({ kind: 'measure', ...load })
    return (await this.next('measured')).measured
  }

  async usage(): Promise<Usage> {
    this.ask({ kind: 'usage' })
    return (await this.next('usage')).usage
  }

  /** Resolves when one write is committed; of a member that does not lead, when it does. */
  async write(id: number): Promise<void> {
    this.ask({ kind: 'write', id })
    await this.next('written', (answer) => answer.id === id)
  }

  /** Of its CPU, from now until it stops. */
  async profile(path: string): Promise<void> {
    this.ask({ kind: 'profile', path })
    await this.next('open')
  }

  async stop(): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return
    const exit = once(this.child, 'exit')
    this.child.disconnect()
    await exit
  }

  /** As a power cut would: nothing is finished or handed over. */
  async kill(): Promise<void> {
    const exit = once(this.child, 'exit')
    this.child.kill('SIGKILL')
    await exit
  }

  private ask(question: Question): void {
    this.child.send(question)
  }

  private next<Kind extends Answer['kind']>(
    kind: Kind,
    isMine: (answer: Extract<Answer, { readonly kind: Kind }>) => boolean = () => true,
  ): Promise<Extract<Answer, { readonly kind: Kind }>> {
    return new Promise((resolve, reject) => {
      const settle = (): void => {
        this.child.off('exit', onExit)
        this.child.off('message', onAnswer)
      }
      const onExit = (code: number | null): void => {
        settle()
        reject(new Error(`a subject ended with ${code}`))
      }
      const onAnswer = (answer: Answer): void => {
        if (!isA(answer, kind) || !isMine(answer)) return
        settle()
        resolve(answer)
      }
      this.child.on('exit', onExit)
      this.child.on('message', onAnswer)
    })
  }
}

function isA<Kind extends Answer['kind']>(
  answer: Answer,
  kind: Kind,
): answer is Extract<Answer, { readonly kind: Kind }> {
  return answer.kind === kind
}
