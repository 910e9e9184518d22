import type { DatanodeInfo, PipelineInfo, ReplicationConfig } from '@o3/scm/api'

/** What of SCM says where blocks can go. */
export interface PlacesOfScm {
  listNodes(): Promise<readonly Pick<DatanodeInfo, 'health'>[]>
  listPipelines(): Promise<readonly Pick<PipelineInfo, 'state' | 'leader'>[]>
}

/** Whether a block can be written now. All but those with one replica begin in a pipeline, which needs datanodes, and a leader. */
export async function hasPlaces(scm: PlacesOfScm, replication: ReplicationConfig): Promise<boolean> {
  if (replication === 'RATIS/ONE') return (await scm.listNodes()).some(({ health }) => health === 'HEALTHY')
  const pipelines = await scm.listPipelines()
  return pipelines.some(({ state, leader }) => state === 'OPEN' && leader !== undefined)
}
