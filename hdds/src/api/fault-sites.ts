/** The places named by `env.at`: a crash test kills the datanode at each of them. In the order of a block's life. */
export const hddsFaultSites = [
  'hdds.disk.identity-written',
  'hdds.container.file-created',
  'hdds.container.before-directory-sync',
  'hdds.container.created',
  'hdds.write.before-write',
  'hdds.write.before-sync',
  'hdds.write.after-sync',
  'hdds.stream.chunk-written',
  'hdds.stream.before-commit',
  'hdds.delete.before-tombstone',
  'hdds.delete.after-tombstone',
  'hdds.close.before-seal',
  'hdds.close.after-seal',
  'hdds.close.before-agreed',
  'hdds.index.before-write',
  'hdds.index.before-checkpoint',
  'hdds.index.after-checkpoint',
  'hdds.index.checkpoint-rows-written',
  'hdds.compact.copied',
  'hdds.compact.before-rename',
  'hdds.compact.before-directory-sync',
  'hdds.compact.before-switch',
  'hdds.deleted.before-sync',
  'hdds.deleted.before-directory-sync',
  'hdds.container.before-remove',
  'hdds.file.before-remove',
  'hdds.file.removed',
  'hdds.quarantine.before-rename',
  'hdds.quarantine.before-directory-sync',
  'hdds.copy.created',
  'hdds.copy.before-seal',
  'hdds.copy.before-rename',
  'hdds.copy.before-directory-sync',
  'hdds.copy.renamed',
  'hdds.copy.visible',
  'hdds.recover.names-synced',
  'hdds.recover.older-removed',
  'hdds.recover.skip-written',
  'hdds.recover.truncated',
  'hdds.recover.rewrite-noted',
  'hdds.recover.rewritten',
  'hdds.recover.before-checkpoint',
] as const

export type HddsFaultSite = (typeof hddsFaultSites)[number]

/** The same, of a datanode that is a member of pipelines. */
export const pipelineFaultSites = [
  'hdds.pipeline.before-description',
  'hdds.pipeline.before-directory-sync',
  'hdds.pipeline.created',
  'hdds.pipeline.description-removed',
] as const

export type PipelineFaultSite = (typeof pipelineFaultSites)[number]
