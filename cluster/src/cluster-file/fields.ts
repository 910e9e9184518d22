import { StoreError } from '@o3/common/errors'

export function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** Reads the fields of one JSON object; what is missing, wrong or unknown is `InvalidArgument` with its place. */
export class Fields {
  private readonly content: Readonly<Record<string, unknown>>
  private readonly where: string
  private readonly known = new Set<string>()

  constructor(content: Readonly<Record<string, unknown>>, where: string) {
    this.content = content
    this.where = where
  }

  place(key: string): string {
    return `${this.where}: ${key}`
  }

  text(key: string): string {
    const value = this.take(key)
    if (typeof value === 'string' && value !== '') return value
    throw this.wrong(key, 'a text that is not empty')
  }

  /** Undefined when it is not there. */
  optionalText(key: string): string | undefined {
    return this.take(key) === undefined ? undefined : this.text(key)
  }

  integer(key: string, minimum: number, maximum: number): number {
    const value = this.take(key)
    if (typeof value === 'number' && Number.isInteger(value) && value >= minimum && value <= maximum) return value
    throw this.wrong(key, `an integer from ${minimum} to ${maximum}`)
  }

  /** Empty when it is not there. */
  texts(key: string): readonly string[] {
    const value = this.take(key) ?? []
    if (Array.isArray(value) && value.every((item) => typeof item === 'string')) return value
    throw this.wrong(key, 'a list of texts')
  }

  inside<T>(key: string, read: (fields: Fields) => T): T {
    const value = this.take(key)
    if (!isObject(value)) throw this.wrong(key, 'an object')
    return readWhole(value, `${this.where}: ${key}`, read)
  }

  list<T>(key: string, maximum: number, read: (fields: Fields) => T): readonly T[] {
    const value: unknown = this.take(key)
    if (!Array.isArray(value) || value.length > maximum || !value.every(isObject)) {
      throw this.wrong(key, `a list of at most ${maximum} objects`)
    }
    return value.map((item, index) => readWhole(item, `${this.where}: ${key}[${index}]`, read))
  }

  /** A misspelt field that is silently ignored is found on the worst day. */
  refuseOthers(): void {
    const other = Object.keys(this.content).find((key) => !this.known.has(key))
    if (other === undefined) return
    const known = [...this.known].join(', ')
    throw new StoreError('InvalidArgument', `${this.where}: there is no field ${other}; there are ${known}`)
  }

  private take(key: string): unknown {
    this.known.add(key)
    return Object.hasOwn(this.content, key) ? this.content[key] : undefined
  }

  private wrong(key: string, wanted: string): StoreError {
    const found = Object.hasOwn(this.content, key) ? 'is not' : 'is missing; it is'
    return new StoreError('InvalidArgument', `${this.place(key)} ${found} ${wanted}`)
  }
}

function readWhole<T>(content: Readonly<Record<string, unknown>>, where: string, read: (fields: Fields) => T): T {
  const fields = new Fields(content, where)
  const value = read(fields)
  fields.refuseOthers()
  return value
}
