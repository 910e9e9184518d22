/**
 * Composition: a thin typed wrapper over one fresh tsyringe container. It is the only importer of tsyringe, so that its
 * holes (string tokens, silent construction of unbound classes, last binding wins, a global container) stay closed.
 */

import 'reflect-metadata'
import { container as root, instanceCachingFactory } from 'tsyringe'
import type { DependencyContainer } from 'tsyringe'
import { assert } from '../errors.ts'

declare const provides: unique symbol

/** A name for one thing that a graph provides, branded with its type. Tokens live in a package's `tokens.ts`. */
export type Token<T> = symbol & { readonly [provides]: T }

/** A new token, different from every other, also from one of the same name. The name appears in messages. */
export function token<T>(name: string): Token<T> {
  return Symbol(name) as Token<T>
}

/**
 * The parts of one node and how they are built. Everything is a singleton. Asking for a token that was never bound,
 * binding one twice, and a circle of factories are bugs, and stop the process with the names involved.
 */
export class Graph {
  // A child never sees what another graph bound: many nodes live in one process.
  private readonly container: DependencyContainer = root.createChildContainer()
  private readonly bound = new Set<symbol>()
  private readonly underway: symbol[] = []

  /** Binds a thing that exists. Whatever needs a promise to come to life is made before, and bound by this. */
  value<T>(name: Token<T>, value: NoInfer<T>): this {
    this.claim(name)
    // Not `useValue`, which takes undefined for the absence of a value.
    this.container.register<unknown>(name, { useFactory: () => value })
    return this
  }

  /** Binds a factory; it runs at the first `get` and never again. A factory that throws may be asked again. */
  build<T>(name: Token<T>, factory: (graph: Graph) => NoInfer<T>): this {
    this.claim(name)
    const once = instanceCachingFactory<unknown>(() => factory(this))
    this.container.register<unknown>(name, { useFactory: () => this.guarded(name, once) })
    return this
  }

  get<T>(name: Token<T>): T {
    const asker = this.underway.at(-1)
    const reason = asker === undefined ? '' : `, which ${nameOf(asker)} needs`
    assert(this.bound.has(name), `nothing is bound to ${nameOf(name)}${reason}`)
    return this.container.resolve<T>(name)
  }

  /** Every bound token, in the order of binding: a composition test resolves them all. */
  tokens(): readonly Token<unknown>[] {
    return [...this.bound] as Token<unknown>[]
  }

  private claim(name: symbol): void {
    assert(!this.bound.has(name), `${nameOf(name)} is bound twice`)
    this.bound.add(name)
  }

  private guarded(name: symbol, once: (container: DependencyContainer) => unknown): unknown {
    const path = [...this.underway, name].map(nameOf).join(' → ')
    assert(!this.underway.includes(name), `the parts need each other in a circle: ${path}`)
    this.underway.push(name)
    try {
      return once(this.container)
    } finally {
      this.underway.pop()
    }
  }
}

function nameOf(name: symbol): string {
  return name.description ?? 'a token without a name'
}
