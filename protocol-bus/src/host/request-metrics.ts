/** What a listener counts. The instruments of each method and class of status are looked up once. */

import type { Counter, Family, Gauge, Histogram, Metrics } from '@o3/common/metrics'

export interface FinishedRequest {
  readonly method: string
  readonly status: number
  readonly receivedBytes: number
  readonly sentBytes: number
  readonly tookMs: number
}

interface Instruments {
  readonly requests: Counter
  readonly seconds: Histogram
}

/** Others share one label: the method is the client's to choose. */
const knownMethods: ReadonlySet<string> = new Set(['GET', 'HEAD', 'PUT', 'POST', 'DELETE', 'OPTIONS', 'PATCH'])

/** Shared by all listeners that count into the same registry. */
export interface HostInstruments {
  readonly requests: Family<'mount' | 'method' | 'status', Counter>
  readonly seconds: Family<'mount' | 'method', Histogram>
  readonly received: Family<'mount', Counter>
  readonly sent: Family<'mount', Counter>
  readonly underway: Family<'mount', Gauge>
  readonly refused: Family<'mount', Counter>
}

const registered = new WeakMap<Metrics, HostInstruments>()

/** A metric is registered once, and a process may run several hosts. */
export function hostInstruments(metrics: Metrics): HostInstruments {
  const known = registered.get(metrics) ?? register(metrics)
  registered.set(metrics, known)
  return known
}

function register(metrics: Metrics): HostInstruments {
  const bytes = (name: string, help: string): Family<'mount', Counter> =>
    metrics.counters({ name, help, labelNames: ['mount'] })
  return {
    requests: metrics.counters({
      name: 'o3_http_requests_total',
      help: 'Requests answered, by method and class of status; `cut` where the response broke off.',
      labelNames: ['mount', 'method', 'status'],
    }),
    seconds: metrics.histograms({
      name: 'o3_http_request_seconds',
      help: 'From the head of a request to the last byte of its response handed to the connection.',
      labelNames: ['mount', 'method'],
    }),
    received: bytes('o3_http_received_bytes_total', 'Bytes of request bodies.'),
    sent: bytes('o3_http_sent_bytes_total', 'Bytes of response bodies.'),
    underway: metrics.gauges({
      name: 'o3_http_requests_underway',
      help: 'Requests that have not been answered yet.',
      labelNames: ['mount'],
    }),
    refused: bytes('o3_http_refused_requests_total', 'Requests that no front end saw.'),
  }
}

/** Of one listener. */
export class RequestMetrics {
  readonly underway: Gauge
  readonly refused: Counter
  private readonly host: HostInstruments
  private readonly mount: string
  private readonly received: Counter
  private readonly sent: Counter
  /** By method, then by the first digit of the status. Node's parser knows some thirty methods: that bounds it. */
  private readonly byOutcome = new Map<string, (Instruments | undefined)[]>()

  constructor(host: HostInstruments, mount: string) {
    this.host = host
    this.mount = mount
    this.underway = host.underway.with({ mount })
    this.refused = host.refused.with({ mount })
    this.received = host.received.with({ mount })
    this.sent = host.sent.with({ mount })
  }

  count({ method, status, receivedBytes, sentBytes, tookMs }: FinishedRequest): void {
    const { requests, seconds } = this.instruments(method, status)
    requests.add(1)
    seconds.observe(tookMs / 1000)
    if (receivedBytes > 0) this.received.add(receivedBytes)
    if (sentBytes > 0) this.sent.add(sentBytes)
  }

  private instruments(method: string, status: number): Instruments {
    const outcome = Math.floor(status / 100)
    const known = this.byOutcome.get(method) ?? []
    const found = known[outcome]
    if (found !== undefined) return found
    const { mount } = this
    const shown = knownMethods.has(method) ? method : 'other'
    const made: Instruments = {
      requests: this.host.requests.with({ mount, method: shown, status: outcomes[outcome] ?? 'cut' }),
      seconds: this.host.seconds.with({ mount, method: shown }),
    }
    known[outcome] = made
    this.byOutcome.set(method, known)
    return made
  }
}

/** By the first digit; a response that broke off counts as 0. */
const outcomes = ['cut', '1xx', '2xx', '3xx', '4xx', '5xx']
