/** The Prometheus text format, version 0.0.4 (https://prometheus.io/docs/instrumenting/exposition_formats/). */

import { Histogram } from './instruments.ts'

export const metricsContentType = 'text/plain; version=0.0.4; charset=utf-8'

export type MetricKind = 'counter' | 'gauge' | 'histogram'
export type Labels = Readonly<Record<string, string>>

export interface Series {
  readonly labels: Labels
  readonly instrument: Histogram | { readonly value: number }
}

export interface Exposed {
  readonly name: string
  readonly help: string
  readonly kind: MetricKind
  readonly series: Iterable<Series>
}

export function renderMetric({ name, help, kind, series }: Exposed): string {
  let out = `# HELP ${name} ${escapeHelp(help)}\n# TYPE ${name} ${kind}\n`
  for (const { labels, instrument } of series) {
    out +=
      instrument instanceof Histogram ? renderHistogram(name, labels, instrument) : line(name, labels, instrument.value)
  }
  return out
}

function renderHistogram(name: string, labels: Labels, histogram: Histogram): string {
  const counts = histogram.cumulative()
  const buckets = counts.map((count, i) => {
    const bound = histogram.bounds[i] ?? Infinity
    return line(`${name}_bucket`, { ...labels, le: formatNumber(bound) }, count)
  })
  return (
    buckets.join('') + line(`${name}_sum`, labels, histogram.sum) + line(`${name}_count`, labels, counts.at(-1) ?? 0)
  )
}

function line(name: string, labels: Labels, value: number): string {
  const pairs = Object.entries(labels).map(([label, text]) => `${label}="${escapeLabel(text)}"`)
  const braces = pairs.length === 0 ? '' : `{${pairs.join(',')}}`
  return `${name}${braces} ${formatNumber(value)}\n`
}

function formatNumber(value: number): string {
  if (value === Infinity) return '+Inf'
  if (value === -Infinity) return '-Inf'
  return String(value)
}

function escapeHelp(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n')
}

function escapeLabel(text: string): string {
  return escapeHelp(text).replaceAll('"', '\\"')
}
