import { expect, test } from 'vitest'
import { hasMajority } from '../../src/core/life/replicas.ts'
import { modelCluster } from '../fixtures/model-cluster.ts'
import type { ModelNode } from '../fixtures/model-cluster.ts'

const leads: ModelNode = { pipelines: { p: 'leads' } }
const follows: ModelNode = {}
const failed: ModelNode = { pipelines: { p: 'failed' } }
const left: ModelNode = { pipelines: {} }
const dead: ModelNode = { health: 'DEAD' }
const silent: ModelNode = { unheard: true }

test.each<[string, readonly [ModelNode, ModelNode, ModelNode], boolean]>([
  ['all are there', [leads, follows, follows], true],
  ['one is dead', [leads, follows, dead], true],
  ['two are dead', [leads, dead, dead], false],
  ['a log has failed, and one is gone', [leads, failed, left], false],
  ['one says nothing: it may lead', [follows, silent, dead], true],
  // One of them may have lost its log, and have no vote.
  ['two are there, and neither leads', [follows, follows, left], false],
  ['nobody leads', [follows, follows, follows], false],
])('members of a pipeline can agree: %s', (_, [a, b, c], can) => {
  const view = modelCluster({ nodes: { a, b, c }, pipelines: { p: { members: ['a', 'b', 'c'] } } })
  const pipeline = view.pipelines.get('p')
  if (pipeline === undefined) throw new Error('it is in the model')
  expect(hasMajority(pipeline, view, 'p')).toBe(can)
})
