/**
 * What the crash test knows: for each key the one state that was acknowledged, or the few that an unanswered request may
 * have left. A state is a version of the key's bytes, or absence.
 */

import { patterned } from '../harness/tree.ts'

/** Undefined: the key is absent. */
export type Version = { readonly size: number; readonly seed: number } | undefined

export interface Finding {
  readonly key: string
  readonly problem: string
}

export class Oracle {
  private readonly allowed = new Map<string, readonly Version[]>()
  private lastSeed = 0
  acknowledged = 0
  readonly findings: Finding[] = []

  get keys(): readonly string[] {
    return [...this.allowed.keys()]
  }

  nextVersion(size: number): { readonly size: number; readonly seed: number } {
    this.lastSeed += 1
    return { size, seed: this.lastSeed }
  }

  /** Before the request is sent: from now on both may be found. */
  attempt(key: string, version: Version): void {
    this.allowed.set(key, [...(this.allowed.get(key) ?? [undefined]), version])
  }

  /** The request was answered with success: from now on only this may be found. */
  acknowledge(key: string, version: Version): void {
    this.allowed.set(key, [version])
    this.acknowledged += 1
  }

  /** The request was answered with an error that says nothing was done. */
  refuse(key: string): void {
    const states = this.allowed.get(key) ?? []
    this.allowed.set(key, states.slice(0, -1))
  }

  /** What a read found. It must be one of the allowed states, and is the only one from then on. */
  observe(key: string, bytes: Uint8Array | undefined): void {
    const states = this.allowed.get(key) ?? [undefined]
    const found = states.findLast((version) => matches(version, bytes))
    if (found === undefined && !(bytes === undefined && states.includes(undefined))) {
      this.findings.push({ key, problem: describe(states, bytes) })
      return
    }
    this.allowed.set(key, [found])
  }

  /** The keys that surely exist now; call after `observe` of every key. */
  present(): readonly string[] {
    return [...this.allowed].filter(([, states]) => states.every((state) => state !== undefined)).map(([key]) => key)
  }
}

export function bytesOf(version: { readonly size: number; readonly seed: number }): Buffer {
  return patterned(version.size, version.seed)
}

function matches(version: Version, bytes: Uint8Array | undefined): boolean {
  if (version === undefined || bytes === undefined) return version === undefined && bytes === undefined
  return bytes.length === version.size && bytesOf(version).equals(bytes)
}

function describe(states: readonly Version[], bytes: Uint8Array | undefined): string {
  const wanted = states.map((state) => (state === undefined ? 'absent' : `${state.size} bytes of write ${state.seed}`))
  const found = bytes === undefined ? 'nothing' : `${bytes.length} other bytes`
  return `found ${found}, expected ${wanted.join(' or ')}`
}
