// Guards publishing: a frame that is told as stored without being so, or never, a full stream that is hammered, a lost answer that is forgotten.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { createWindow, type OutgoingFrame, type Window } from '../../actors/buffer/window.js'
import { createFakeClock } from '../writers/fake-clock.js'

type Outcome = 'stored' | 'refused' | 'unknown'

interface Bench {
  readonly window: Window
  readonly clock: ReturnType<typeof createFakeClock>
  /** Tries that have not been answered. */
  readonly open: { frame: OutgoingFrame; answer(outcome: Outcome): void }[]
  readonly stored: number[]
  readonly publish: (frame: OutgoingFrame) => Promise<void>
}

function bench(size: number): Bench {
  const clock = createFakeClock()
  const open: Bench['open'] = []
  const stored: number[] = []
  const publish = (frame: OutgoingFrame) =>
    new Promise<void>((resolve, reject) =>
      open.push({
        frame,
        answer: (outcome) => (outcome === 'stored' ? resolve() : reject(new Error(outcome))),
      }),
    )
  const window = createWindow({
    size,
    retry: { initial: 100, max: 1000 },
    clock,
    random: () => 0.5,
    faultOf: (error) => ({
      reason: (error as Error).message,
      refused: (error as Error).message === 'refused',
    }),
    stored: ({ seq }) => void stored.push(seq),
    failed: () => undefined,
  })
  return { window, clock, open, stored, publish }
}

const frame = (seq: number): OutgoingFrame => ({
  seq,
  id: `f${seq}`,
  encoded: new Uint8Array(1),
  rawBytes: 1,
  again: false,
})
/** Promise callbacks of a try run. */
const settle = () => new Promise((resolve) => setImmediate(resolve))

test('whatever the server answers, each frame is told as stored once, and never more are in flight than may be', async () => {
  const outcomes = fc.array(fc.constantFrom<Outcome>('stored', 'refused', 'unknown'), { maxLength: 30 })
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 1, max: 5 }), outcomes, async (size, script) => {
      const { window, clock, open, stored, publish } = bench(size)
      const unknown = new Set<number>()
      for (let seq = 0; seq < 8; seq++) window.add(frame(seq))
      window.open(publish)
      for (let turn = 0; stored.length < 8 && turn < 200; turn++) {
        assert.ok(open.length <= size)
        assert.equal(window.inFlight(), open.length)
        const attempt = open.shift()
        if (attempt === undefined) {
          clock.pass(2000)
          continue
        }
        assert.equal(attempt.frame.again, unknown.has(attempt.frame.seq))
        const outcome = script.shift() ?? 'stored'
        if (outcome === 'unknown') unknown.add(attempt.frame.seq)
        attempt.answer(outcome)
        await settle()
      }
      assert.deepEqual(stored.toSorted(), [0, 1, 2, 3, 4, 5, 6, 7])
      assert.equal(window.waiting(), 0)
      assert.equal(window.fault(), undefined)
    }),
    { numRuns: 60 },
  )
})

test('a full stream is asked with one frame after a pause, the oldest first, and not with the whole window', async () => {
  const { window, clock, open, stored, publish } = bench(4)
  for (let seq = 0; seq < 6; seq++) window.add(frame(seq))
  window.open(publish)
  assert.equal(open.length, 4)
  for (const { answer } of open.splice(0)) answer('refused')
  await settle()
  assert.equal(window.fault(), 'refused')
  assert.equal(open.length, 0)
  clock.pass(1000)
  assert.deepEqual(
    open.map((each) => each.frame.seq),
    [0],
  )
  open.shift()?.answer('stored')
  await settle()
  assert.deepEqual(stored, [0])
  assert.deepEqual(
    open.map((each) => each.frame.seq),
    [1, 2, 3, 4],
  )
})

test('nothing goes out without a connection, and what is under way when it ends goes out by the next', async () => {
  const { window, open, publish, stored } = bench(2)
  window.add(frame(0))
  assert.equal(open.length, 0)
  window.open(publish)
  window.open(undefined)
  open.shift()?.answer('unknown')
  await settle()
  assert.equal(window.waiting(), 1)
  window.open(publish)
  assert.equal(open[0]?.frame.again, true)
  open.shift()?.answer('stored')
  await settle()
  assert.deepEqual(stored, [0])
  window.stop()
  window.add(frame(1))
  assert.equal(open.length, 0)
})
