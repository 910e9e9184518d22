import { inspect } from 'node:util'

const hidden = '[secret]'

/**
 * A value that must not be printed: every way of turning it into text (template, JSON, log line, `console.log`) gives
 * `[secret]`. Only `reveal` gives the value, so that a search for that word finds every place that handles it openly.
 */
export class Secret {
  readonly #value: string

  constructor(value: string) {
    this.#value = value
  }

  reveal(): string {
    return this.#value
  }

  toString(): string {
    return hidden
  }

  toJSON(): string {
    return hidden
  }

  [inspect.custom](): string {
    return hidden
  }
}
