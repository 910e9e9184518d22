import { EventQueue, type SimEvent } from '@o3/common/env/sim'
import fc from 'fast-check'
import { expect, test } from 'vitest'

const action = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('push' as const), atMs: fc.nat(20) }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('cancel' as const), which: fc.nat() }) },
  { weight: 2, arbitrary: fc.constant({ kind: 'pop' as const }) },
)

test('events come by time and by their order, and cancelled ones never', () => {
  fc.assert(
    fc.property(fc.array(action, { maxLength: 500, size: 'max' }), (actions) => {
      const queue = new EventQueue()
      const all: SimEvent[] = []
      let due: readonly SimEvent[] = []
      for (const each of actions) {
        if (each.kind === 'push') {
          const event: SimEvent = {
            atMs: each.atMs,
            sequence: all.length,
            kind: '',
            name: '',
            action: () => {},
            state: 'due',
          }
          all.push(event)
          queue.push(event)
          due = [...due, event].toSorted((one, other) => one.atMs - other.atMs || one.sequence - other.sequence)
        } else if (each.kind === 'cancel') {
          // Also those that have happened or were cancelled before.
          const event = all[each.which % Math.max(1, all.length)]
          if (event !== undefined) queue.cancel(event)
          due = due.filter((one) => one !== event)
        } else {
          expect(queue.pop()).toBe(due[0])
          due = due.slice(1)
        }
        expect(queue.size).toBe(due.length)
      }
      for (const event of due) {
        expect(queue.peek()).toBe(event)
        expect(queue.pop()).toBe(event)
      }
      expect(queue.pop()).toBeUndefined()
    }),
  )
})
