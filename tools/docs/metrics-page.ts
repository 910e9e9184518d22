/** `docs/reference/metrics.md`: what each kind of process shows, collected from the code that registers it. */

import { createMetrics } from '../../common/src/metrics/metrics.ts'
import type { Counter, Family, Gauge, Histogram, MetricDefinition, Metrics } from '../../common/src/metrics/metrics.ts'
import { addProcessMetrics } from '../../common/src/metrics/process-metrics.ts'
import { clientMetrics } from '../../hdds/src/client/client-metrics.ts'
import { gaugeDisk } from '../../hdds/src/service/disk-gauges.ts'
import { storageMetrics } from '../../hdds/src/storage/storage-metrics.ts'
import { callMetrics } from '../../plugins/native/src/server/call-metrics.ts'
import { requestMetrics } from '../../plugins/s3/src/router/request-metrics.ts'
import { hostInstruments } from '../../protocol-bus/src/host/request-metrics.ts'

interface Documented {
  readonly name: string
  readonly kind: 'counter' | 'gauge' | 'histogram'
  readonly labels: readonly string[]
  readonly help: string
}

interface Section {
  readonly title: string
  readonly register: (metrics: Metrics) => void
}

const unread = { path: '', containers: new Map<never, never>(), state: 'healthy' } as const

const sections: readonly Section[] = [
  { title: 'Requests, by listener', register: (metrics) => void hostInstruments(metrics) },
  { title: 'S3', register: (metrics) => void requestMetrics(metrics, []) },
  { title: 'The native protocol', register: (metrics) => void callMetrics(metrics) },
  { title: 'Blocks, as a gateway reads and writes them', register: (metrics) => void clientMetrics(metrics) },
  {
    title: 'Disks, of a datanode in this process (`o3 start`)',
    register: (metrics) => {
      storageMetrics(metrics)
      const report = () => ({ ...unread, uuid: '', totalBytes: 0, availableBytes: 0, usedBytes: 0 })
      gaugeDisk(metrics, { ...unread, report })
    },
  },
  {
    title: 'The process',
    register: (metrics) => {
      const stop = addProcessMetrics(metrics)
      stop()
    },
  },
]

export function metricsPage(): string {
  const rendered = sections.map(({ title, register }) => {
    const found: Documented[] = []
    register(noting(found))
    const rows = found.map(({ name, kind, labels, help }) => {
      const by = labels.map((label) => `\`${label}\``).join(', ')
      return `| \`${name}\` | ${kind} | ${by} | ${help.replaceAll('|', '\\|')} |`
    })
    return [`## ${title}`, '', '| metric | kind | by | meaning |', '|---|---|---|---|', ...rows].join('\n')
  })
  return `${[introduction, ...rendered].join('\n\n')}\n`
}

/** A registry that notes each name once. */
function noting(found: Documented[]): Metrics {
  const inner = createMetrics()
  const note = (kind: Documented['kind'], { name, help }: MetricDefinition, labels: readonly string[] = []): void => {
    if (!found.some((each) => each.name === name)) found.push({ name, kind, labels, help })
  }
  return {
    counter: (definition): Counter => {
      note('counter', definition)
      return inner.counter(definition)
    },
    gauge: (definition): Gauge => {
      note('gauge', definition)
      return inner.gauge(definition)
    },
    histogram: (definition): Histogram => {
      note('histogram', definition)
      return inner.histogram(definition)
    },
    counters: (definition): Family<string, Counter> => {
      note('counter', definition, definition.labelNames)
      return inner.counters(definition)
    },
    gauges: (definition): Family<string, Gauge> => {
      note('gauge', definition, definition.labelNames)
      return inner.gauges(definition)
    },
    histograms: (definition): Family<string, Histogram> => {
      note('histogram', definition, definition.labelNames)
      return inner.histograms(definition)
    },
    sampled: (definition) => {
      note(definition.kind, definition, Object.keys(definition.labels ?? {}))
      inner.sampled(definition)
    },
    render: () => inner.render(),
  }
}

const introduction = `# Metrics

In the text format of Prometheus at \`/metrics\` of the admin listener: of \`o3 start\` (all of them) and of each gateway of a
cluster (all but the disks). A histogram has \`_bucket\`, \`_sum\` and \`_count\`. Units are seconds and bytes.`
