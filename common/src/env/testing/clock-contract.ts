import { describe, expect, test } from 'vitest'
import type { Clock } from '../env.ts'
import type { Drive } from './drive.ts'

/** The suite of `Clock`. */
export function clockContract(name: string, open: () => { readonly clock: Clock; readonly drive: Drive }): void {
  describe(`the clock contract: ${name}`, () => {
    test('monotonic time never goes back, and wall time is an instant of our age', async () => {
      const { clock, drive } = open()
      await drive(async () => {
        const before = clock.monotonicMs()
        await clock.sleep(3)
        expect(clock.monotonicMs()).toBeGreaterThanOrEqual(before + 3)
        expect(Number.isInteger(clock.wallMs())).toBe(true)
        expect(clock.wallMs()).toBeGreaterThan(Date.UTC(2020, 0, 1))
      })
    })

    test.each([0, 1, 7.5])('after(%d ms) is never early', async (delayMs) => {
      const { clock, drive } = open()
      await drive(async () => {
        for (let i = 0; i < 5; i++) {
          const startMs = clock.monotonicMs()
          await new Promise<void>((resolve) => void clock.after(delayMs, resolve))
          expect(clock.monotonicMs() - startMs).toBeGreaterThanOrEqual(delayMs)
        }
      })
    })

    test('after() comes later, never within the call', async () => {
      const { clock, drive } = open()
      await drive(async () => {
        let ran = false
        const done = new Promise<void>((resolve) => {
          clock.after(0, () => {
            ran = true
            resolve()
          })
        })
        expect(ran).toBe(false)
        await done
      })
    })

    test('what is cancelled does not run; cancelling twice, or late, does nothing', async () => {
      const { clock, drive } = open()
      await drive(async () => {
        let ran = 0
        const cancel = clock.after(1, () => ran++)
        cancel()
        cancel()
        const late = clock.after(1, () => ran++)
        await clock.sleep(5)
        late()
        expect(ran).toBe(1)
      })
    })

    test('a delay of months does not fire at once', async () => {
      const { clock, drive } = open()
      await drive(async () => {
        let ran = false
        const cancel = clock.after(2 ** 32, () => {
          ran = true
        })
        await clock.sleep(5)
        cancel()
        expect(ran).toBe(false)
      })
    })

    test('a sleeper that is aborted rejects with the reason', async () => {
      const { clock, drive } = open()
      await drive(async () => {
        const controller = new AbortController()
        const reason = new Error('enough')
        const sleep = clock.sleep(60_000, controller.signal)
        clock.after(1, () => controller.abort(reason))
        await expect(sleep).rejects.toBe(reason)
        await expect(clock.sleep(1, controller.signal)).rejects.toBe(reason)
      })
    })
  })
}
