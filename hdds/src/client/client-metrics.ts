import { createMetrics } from '@o3/common/metrics'
import type { Counter, Metrics } from '@o3/common/metrics'

/** What the block client of a process counts. */
export interface ClientMetrics {
  readonly reads: Counter
  readonly hedges: Counter
  readonly hedgesWon: Counter
  readonly switches: Counter
  readonly silentReplicas: Counter
  readonly badReplicas: Counter
  readonly lostMembers: Counter
  readonly leaderSearches: Counter
}

export function clientMetrics(metrics: Metrics = createMetrics()): ClientMetrics {
  const counter = (name: string, help: string): Counter =>
    metrics.counter({ name: `o3_hdds_client_${name}_total`, help })
  return {
    reads: counter('reads', 'Reads of blocks with a choice of replicas, or at a remote one.'),
    hedges: counter('hedges', 'Reads for which a second replica was asked, because the first was slow.'),
    hedgesWon: counter('hedges_won', 'Hedges that answered before the replica that was asked first.'),
    switches: counter('replica_switches', 'Reads that left a replica in their middle and went on at another one.'),
    silentReplicas: counter(
      'silent_replicas',
      'Times that a reader asked another replica because one had said nothing for seconds.',
    ),
    badReplicas: counter('bad_replicas', 'Replicas that readers found damaged or without the block.'),
    lostMembers: counter('lost_members', 'Members that streamed writes went on without: failed, or too slow.'),
    leaderSearches: counter('leader_searches', 'Writes through a pipeline whose leader was not the one remembered.'),
  }
}
