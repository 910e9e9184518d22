import { describe, expect, test } from 'vitest'
import { Graph, token } from '../../src/di/graph.ts'

interface Engine {
  readonly power: number
}
const POWER = token<number>('POWER')
const ENGINE = token<Engine>('ENGINE')
const CAR = token<{ readonly engine: Engine }>('CAR')

function carGraph(): Graph {
  return new Graph()
    .build(CAR, (graph) => ({ engine: graph.get(ENGINE) }))
    .build(ENGINE, (graph) => ({ power: graph.get(POWER) }))
    .value(POWER, 90)
}

describe('Graph', () => {
  test('builds each part once, in whatever order they were bound', () => {
    const graph = carGraph()
    expect(graph.get(CAR).engine.power).toBe(90)
    expect(graph.get(CAR)).toBe(graph.get(CAR))
    expect(graph.get(CAR).engine).toBe(graph.get(ENGINE))
  })

  test('shares nothing with another graph', () => {
    expect(carGraph().get(CAR)).not.toBe(carGraph().get(CAR))
    expect(() => new Graph().get(POWER)).toThrow('nothing is bound to POWER')
  })

  test('lists its tokens in the order of binding, for tests that resolve them all', () => {
    expect(carGraph().tokens()).toEqual([CAR, ENGINE, POWER])
  })

  test('refuses a token that nobody bound, and says who asked', () => {
    const graph = new Graph().build(ENGINE, (g) => ({ power: g.get(POWER) }))
    expect(() => graph.get(ENGINE)).toThrow('nothing is bound to POWER, which ENGINE needs')
  })

  test('refuses a second binding', () => {
    expect(() => carGraph().value(POWER, 1)).toThrow('POWER is bound twice')
    expect(() => carGraph().build(POWER, () => 1)).toThrow('POWER is bound twice')
  })

  test('tells two tokens of one name apart', () => {
    const other = token<number>('POWER')
    expect(new Graph().value(POWER, 1).value(other, 2).get(other)).toBe(2)
  })

  test('refuses a circle and names it', () => {
    const graph = new Graph().build(CAR, (g) => ({ engine: g.get(ENGINE) })).build(ENGINE, (g) => g.get(CAR).engine)
    expect(() => graph.get(CAR)).toThrow('CAR → ENGINE → CAR')
  })

  test('tries a factory that threw again', () => {
    let attempts = 0
    const graph = new Graph().build(POWER, () => {
      attempts++
      if (attempts === 1) throw new Error('no fuel')
      return attempts
    })
    expect(() => graph.get(POWER)).toThrow('no fuel')
    expect(graph.get(POWER)).toBe(2)
  })

  test('binds undefined and null as values', () => {
    const nothing = token<undefined>('NOTHING')
    expect(new Graph().value(nothing, undefined).get(nothing)).toBeUndefined()
  })
})
