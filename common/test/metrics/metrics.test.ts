import { describe, expect, test } from 'vitest'
import { bytesBuckets, createMetrics, secondsBuckets } from '../../src/metrics/metrics.ts'
import type { Metrics } from '../../src/metrics/metrics.ts'
import { addProcessMetrics } from '../../src/metrics/process-metrics.ts'

const help = 'What it is.'

/** The exposition without its HELP and TYPE lines. */
function samples(metrics: Metrics): string[] {
  return metrics
    .render()
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))
}

describe('exposition', () => {
  test('is the text format, in the order of registration', () => {
    const metrics = createMetrics()
    const puts = metrics.counters({
      name: 'o3_s3_requests_total',
      help: 'Requests.',
      labelNames: ['operation', 'status'],
    })
    const open = metrics.gauge({ name: 'o3_s3_open_connections', help: 'Connections.' })
    const time = metrics.histogram({ name: 'o3_s3_seconds', help: 'Time.', bounds: [0.1, 1] })
    puts.with({ operation: 'PutObject', status: '200' }).add()
    puts.with({ status: '200', operation: 'PutObject' }).add(2)
    puts.with({ operation: 'GetObject', status: '404' }).add()
    open.set(5)
    open.add(-2)
    for (const seconds of [0.1, 0.5, 7]) time.observe(seconds)
    expect(metrics.render()).toBe(
      [
        '# HELP o3_s3_requests_total Requests.',
        '# TYPE o3_s3_requests_total counter',
        'o3_s3_requests_total{operation="PutObject",status="200"} 3',
        'o3_s3_requests_total{operation="GetObject",status="404"} 1',
        '# HELP o3_s3_open_connections Connections.',
        '# TYPE o3_s3_open_connections gauge',
        'o3_s3_open_connections 3',
        '# HELP o3_s3_seconds Time.',
        '# TYPE o3_s3_seconds histogram',
        'o3_s3_seconds_bucket{le="0.1"} 1',
        'o3_s3_seconds_bucket{le="1"} 2',
        'o3_s3_seconds_bucket{le="+Inf"} 3',
        'o3_s3_seconds_sum 7.6',
        'o3_s3_seconds_count 3',
        '',
      ].join('\n'),
    )
  })

  test('escapes help and label values', () => {
    const metrics = createMetrics()
    const family = metrics.counters({ name: 'o3_x_total', help: 'a\\b\nc"d', labelNames: ['key'] })
    family.with({ key: 'a\\b\nc"d' }).add()
    expect(metrics.render()).toBe(
      '# HELP o3_x_total a\\\\b\\nc"d\n# TYPE o3_x_total counter\no3_x_total{key="a\\\\b\\nc\\"d"} 1\n',
    )
  })

  test.each([
    [Infinity, '+Inf'],
    [-Infinity, '-Inf'],
    [NaN, 'NaN'],
    [1e21, '1e+21'],
    [-0.5, '-0.5'],
  ])('writes %d as %s', (value, text) => {
    const metrics = createMetrics()
    metrics.gauge({ name: 'o3_x', help }).set(value)
    expect(samples(metrics)).toEqual([`o3_x ${text}`])
  })
})

describe('families', () => {
  test('give the same instrument for the same values, whatever is in them', () => {
    const family = createMetrics().counters({ name: 'o3_x_total', help, labelNames: ['a', 'b'] })
    expect(family.with({ a: '1', b: '2' })).toBe(family.with({ b: '2', a: '1' }))
    expect(family.with({ a: 'x,1', b: '' })).not.toBe(family.with({ a: 'x', b: ',1' }))
  })

  test('stop growing at their bound', () => {
    const metrics = createMetrics()
    const family = metrics.counters({ name: 'o3_x_total', help, labelNames: ['key'], maxSeries: 2 })
    for (const key of ['a', 'b', 'c', 'd', 'a']) family.with({ key }).add()
    expect(samples(metrics)).toEqual(['o3_x_total{key="a"} 2', 'o3_x_total{key="b"} 1', 'o3_x_total{key="other"} 2'])
  })

  test('of histograms have the labels and the bound side by side', () => {
    const metrics = createMetrics()
    metrics
      .histograms({ name: 'o3_x_bytes', help, labelNames: ['op'], bounds: [10] })
      .with({ op: 'put' })
      .observe(10)
    expect(samples(metrics)[0]).toBe('o3_x_bytes_bucket{op="put",le="10"} 1')
  })
})

describe('sampled metrics', () => {
  test('are read at each render', () => {
    const metrics = createMetrics()
    let depth = 0
    metrics.sampled({ name: 'o3_queue_depth', help, kind: 'gauge', labels: { queue: 'log' }, read: () => ++depth })
    metrics.sampled({ name: 'o3_queue_depth', help, kind: 'gauge', labels: { queue: 'index' }, read: () => 9 })
    metrics.render()
    expect(samples(metrics)).toEqual(['o3_queue_depth{queue="log"} 2', 'o3_queue_depth{queue="index"} 9'])
  })

  test('of the process are there and plausible', () => {
    const metrics = createMetrics()
    const end = addProcessMetrics(metrics)
    const values = new Map(samples(metrics).map((line) => line.split(' ') as [string, string]))
    end()
    expect(Number(values.get('o3_process_resident_memory_bytes'))).toBeGreaterThan(1e6)
    expect(Number(values.get('o3_process_cpu_seconds_total'))).toBeGreaterThan(0)
    expect(Number(values.get('o3_process_open_fds'))).not.toBe(0)
    for (const quantile of ['0.5', '0.99', '1']) {
      expect(Number(values.get(`o3_process_event_loop_delay_seconds{quantile="${quantile}"}`))).toBeGreaterThanOrEqual(
        0,
      )
    }
  })
})

test.each([
  ['a foreign name', (m: Metrics) => m.gauge({ name: 'x', help }), 'does not begin with o3_'],
  ['a counter without _total', (m: Metrics) => m.counter({ name: 'o3_x', help }), 'does not end with _total'],
  ['a bad label', (m: Metrics) => m.gauges({ name: 'o3_x', help, labelNames: ['A b'] }), 'not well formed'],
  ['a name twice', (m: Metrics) => [1, 2].map(() => m.gauge({ name: 'o3_x', help })), 'registered twice'],
  ['bounds that fall', (m: Metrics) => m.histogram({ name: 'o3_x', help, bounds: [2, 1] }), 'ascend'],
])('%s is a bug', (_, act, message) => {
  expect(() => act(createMetrics())).toThrow(message)
})

test.each([
  ['seconds', secondsBuckets],
  ['bytes', bytesBuckets],
])('the buckets for %s are bounds', (name, bounds) => {
  expect(() => createMetrics().histogram({ name: `o3_${name}`, help, bounds })).not.toThrow()
})
