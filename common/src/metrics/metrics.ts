/**
 * Metrics for Prometheus. An instrument is looked up once and kept by the code that uses it: an `add` is one store into
 * a typed array (some 8 ns), where the usual client library takes over 100.
 *
 * Names are `o3_<room>_<what>_<unit>`, with `_total` at the end of counters. Units are seconds and bytes.
 */

import { assert } from '../errors.ts'
import { renderMetric } from './exposition.ts'
import type { Labels, MetricKind, Series } from './exposition.ts'
import { Counter, Gauge, Histogram, secondsBuckets } from './instruments.ts'

export { metricsContentType } from './exposition.ts'
export { Counter, Gauge, Histogram, bytesBuckets, secondsBuckets } from './instruments.ts'

export interface MetricDefinition {
  readonly name: string
  /** One sentence; it becomes the HELP line. */
  readonly help: string
}

export interface FamilyDefinition<L extends string> extends MetricDefinition {
  readonly labelNames: readonly L[]
  /** Beyond this many combinations of label values all new ones share one series, labelled `other`. Default 500. */
  readonly maxSeries?: number
}

export interface Buckets {
  /** Upper bounds, ascending; +Inf is added. Default: `secondsBuckets`. */
  readonly bounds?: readonly number[]
}

export interface SampledDefinition extends MetricDefinition {
  readonly kind: 'counter' | 'gauge'
  /** Several series of one name are registered one by one. */
  readonly labels?: Labels
  /** Called at each `render`: cheap and synchronous. */
  readonly read: () => number
}

/** One metric for several values of its labels. */
export interface Family<L extends string, Instrument> {
  /** The instrument of these values, always the same one; keep it where it is used often. */
  with(labels: Readonly<Record<L, string>>): Instrument
}

/** The port. A name is registered once per registry, `sampled` apart; twice is a bug. */
export interface Metrics {
  counter(definition: MetricDefinition): Counter
  gauge(definition: MetricDefinition): Gauge
  histogram(definition: MetricDefinition & Buckets): Histogram
  counters<L extends string>(definition: FamilyDefinition<L>): Family<L, Counter>
  gauges<L extends string>(definition: FamilyDefinition<L>): Family<L, Gauge>
  histograms<L extends string>(definition: FamilyDefinition<L> & Buckets): Family<L, Histogram>
  /** A number that something else keeps: the depth of a queue, free space. */
  sampled(definition: SampledDefinition): void
  /** The whole exposition, in the order of registration; serve it as `metricsContentType`. */
  render(): string
}

export function createMetrics(): Metrics {
  return new MetricsRegistry()
}

type Instrument = Counter | Gauge | Histogram

interface Registered extends MetricDefinition {
  readonly kind: MetricKind
  readonly series: Map<string, Series>
  readonly sampled: boolean
}

class MetricsRegistry implements Metrics {
  private readonly metrics = new Map<string, Registered>()

  counter(definition: MetricDefinition): Counter {
    return this.single(definition, 'counter', new Counter())
  }

  gauge(definition: MetricDefinition): Gauge {
    return this.single(definition, 'gauge', new Gauge())
  }

  histogram(definition: MetricDefinition & Buckets): Histogram {
    return this.single(definition, 'histogram', new Histogram(definition.bounds ?? secondsBuckets))
  }

  counters<L extends string>(definition: FamilyDefinition<L>): Family<L, Counter> {
    return this.family(definition, 'counter', () => new Counter())
  }

  gauges<L extends string>(definition: FamilyDefinition<L>): Family<L, Gauge> {
    return this.family(definition, 'gauge', () => new Gauge())
  }

  histograms<L extends string>(definition: FamilyDefinition<L> & Buckets): Family<L, Histogram> {
    return this.family(definition, 'histogram', () => new Histogram(definition.bounds ?? secondsBuckets))
  }

  sampled(definition: SampledDefinition): void {
    const labels = definition.labels ?? {}
    const metric = this.metrics.get(definition.name) ?? this.register(definition, definition.kind, { sampled: true })
    assert(metric.sampled && metric.kind === definition.kind, `metric ${definition.name} is registered twice`)
    const key = seriesKey(Object.entries(labels).flat())
    assert(!metric.series.has(key), `metric ${definition.name} has this series already`)
    const { read } = definition
    metric.series.set(key, {
      labels,
      instrument: {
        get value() {
          return read()
        },
      },
    })
  }

  render(): string {
    let out = ''
    for (const metric of this.metrics.values()) out += renderMetric({ ...metric, series: metric.series.values() })
    return out
  }

  private single<I extends Instrument>(definition: MetricDefinition, kind: MetricKind, instrument: I): I {
    this.register(definition, kind).series.set('', { labels: {}, instrument })
    return instrument
  }

  private family<L extends string, I extends Instrument>(
    definition: FamilyDefinition<L>,
    kind: MetricKind,
    make: () => I,
  ): Family<L, I> {
    const { labelNames, maxSeries = 500 } = definition
    for (const label of labelNames) assert(labelPattern.test(label), `metric label ${label} is not well formed`)
    const { series } = this.register(definition, kind)
    const instruments = new Map<string, I>()
    const open = (key: string, labels: Labels): I => {
      const instrument = make()
      instruments.set(key, instrument)
      series.set(key, { labels, instrument })
      return instrument
    }
    const seriesOf = (labels: Readonly<Record<L, string>>): I => {
      const key = seriesKey(labelNames.map((name) => labels[name]))
      const known = instruments.get(key)
      if (known !== undefined) return known
      if (instruments.size < maxSeries)
        return open(
          key,
          pick(labelNames, (name) => labels[name]),
        )
      // The bound: a label that a request can choose must not grow the registry for ever.
      return (
        instruments.get(overflowKey) ??
        open(
          overflowKey,
          pick(labelNames, () => 'other'),
        )
      )
    }
    return { with: seriesOf }
  }

  private register(
    { name, help }: MetricDefinition,
    kind: MetricKind,
    options: { readonly sampled: boolean } = { sampled: false },
  ): Registered {
    assert(namePattern.test(name), `metric name ${name} does not begin with o3_`)
    assert(kind !== 'counter' || name.endsWith('_total'), `counter ${name} does not end with _total`)
    assert(!this.metrics.has(name), `metric ${name} is registered twice`)
    const metric: Registered = { name, help, kind, series: new Map(), sampled: options.sampled }
    this.metrics.set(name, metric)
    return metric
  }
}

const namePattern = /^o3_[a-z0-9_]+$/
const labelPattern = /^[a-z][a-z0-9_]*$/
const overflowKey = 'overflow'

/** Lengths in front, so that no two lists of values have one key, whatever is in them. */
function seriesKey(values: readonly string[]): string {
  let key = ''
  for (const value of values) key += `${value.length}:${value}`
  return key
}

function pick<L extends string>(names: readonly L[], value: (name: L) => string): Labels {
  return Object.fromEntries(names.map((name) => [name, value(name)]))
}
