// The system's clock: what runs every so often wakes a thread once for all.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'
import { systemClock, TIMER_MS_MAX } from '../../runtime/clock.js'

test('a timer that is longer than one of the system can be runs when its time has come, not at once', (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] })
  let runs = 0
  systemClock.after(2 * TIMER_MS_MAX + 10, () => runs++)
  const cancel = systemClock.after(TIMER_MS_MAX + 10, () => runs++)
  t.mock.timers.tick(TIMER_MS_MAX)
  cancel()
  t.mock.timers.tick(TIMER_MS_MAX)
  assert.equal(runs, 0)
  t.mock.timers.tick(10)
  assert.equal(runs, 1)
})

test('timers that were started apart run together, once an interval, until they are cancelled', async () => {
  const runs: { readonly name: string; readonly atMs: number }[] = []
  const every = (name: string): (() => void) =>
    systemClock.every(500, () => runs.push({ name, atMs: performance.now() }))
  const fromMs = performance.now()
  const cancelFirst = every('first')
  await wait(240)
  const cancelSecond = every('second')
  await wait(2300)
  cancelFirst()
  cancelSecond()
  const first = runs.filter(({ name }) => name === 'first').map(({ atMs }) => atMs)
  const second = runs.filter(({ name }) => name === 'second').map(({ atMs }) => atMs)
  assert.ok(second.length >= 1)
  for (const atMs of second) assert.ok(first.some((other) => Math.abs(atMs - other) < 200))
  assert.ok(first.length <= (performance.now() - fromMs) / 500 + 1)
  const count = runs.length
  await wait(600)
  assert.equal(runs.length, count)
})

test('they are counted from the start of the process: those of a thousand nodes do not all run at one moment', (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] })
  for (const [uptime, dueMs] of [
    [7.1, 900],
    [7.3, 700],
    [7.95, 1050],
  ] as const) {
    const mocked = t.mock.method(process, 'uptime', () => uptime)
    let runs = 0
    const cancel = systemClock.every(1000, () => runs++)
    t.mock.timers.tick(dueMs - 1)
    assert.equal(runs, 0, `${uptime}`)
    t.mock.timers.tick(1)
    assert.equal(runs, 1, `${uptime}`)
    cancel()
    mocked.mock.restore()
  }
})
