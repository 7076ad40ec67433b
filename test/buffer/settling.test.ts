// Guards what the journal lets go of: a frame that a removed consumer has missed, one that waits for ever, a question for each frame.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { createSettling } from '../../actors/buffer/settling.js'
import type { OutgoingFrame } from '../../actors/buffer/window.js'
import { createFakeClock } from '../writers/fake-clock.js'

function bench(bytesMax = 1000) {
  const clock = createFakeClock()
  const settled: number[] = []
  const missed: number[] = []
  const looks: { answer(consumers: string): void; fail(text: string): void }[] = []
  const settling = createSettling({
    clock,
    bytesMax,
    settled: (frames) => void settled.push(...frames.map(({ seq }) => seq)),
    missed: (frames) => void missed.push(...frames.map(({ seq }) => seq)),
  })
  const look = () =>
    new Promise<string>((resolve, reject) =>
      looks.push({ answer: resolve, fail: (text) => reject(new Error(text)) }),
    )
  return { clock, settled, missed, looks, settling, look }
}

const frame = (seq: number): OutgoingFrame => ({
  seq,
  id: `f${seq}`,
  encoded: new Uint8Array(1),
  rawBytes: 100,
  again: false,
})
const turn = () => new Promise((resolve) => setImmediate(resolve))

test('a frame that was acknowledged while the answer was on its way waits for the next look', async () => {
  const { clock, settled, looks, settling, look } = bench()
  settling.open(look)
  settling.stored(frame(1), 'same')
  clock.pass(2000)
  settling.stored(frame(2), 'same')
  looks.shift()?.answer('same')
  await turn()
  assert.deepEqual(settled, [1])
  assert.equal(settling.frames(), 1)
  clock.pass(2000)
  looks.shift()?.answer('same')
  await turn()
  assert.deepEqual(settled, [1, 2])
})

test('frames that were published for other consumers are told as missed, also over a connection that ended', async () => {
  const { clock, settled, missed, looks, settling, look } = bench()
  settling.open(look)
  settling.stored(frame(1), 'before')
  settling.open(undefined)
  clock.pass(10_000)
  assert.equal(looks.length, 0)
  settling.open(look)
  settling.stored(frame(2), 'after')
  clock.pass(2000)
  looks.shift()?.answer('after')
  await turn()
  assert.deepEqual([missed, settled], [[1], [2]])
})

test('many frames ask soon, few ask together, and a look that fails is tried again', async () => {
  const { clock, settled, looks, settling, look } = bench(300)
  settling.open(look)
  for (const seq of [1, 2]) settling.stored(frame(seq), 'same')
  assert.equal(looks.length, 0)
  settling.stored(frame(3), 'same')
  assert.equal(looks.length, 1)
  looks.shift()?.fail('no leader')
  await turn()
  assert.equal(settling.fault(), 'no leader')
  assert.equal(looks.length, 0)
  clock.pass(2000)
  looks.shift()?.answer('same')
  await turn()
  assert.deepEqual(settled, [1, 2, 3])
  assert.equal(settling.fault(), undefined)
  settling.hurry()
  settling.stored(frame(4), 'same')
  assert.equal(looks.length, 1)
})

test('each frame is told once, and as settled only by a look that began after it was stored', async () => {
  type Step = { kind: 'store' | 'answer' | 'fail' | 'pass' | 'remade' | 'reconnect' }
  const step = fc.record<Step>({
    kind: fc.constantFrom('store', 'answer', 'fail', 'pass', 'remade', 'reconnect'),
  })
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (script) => {
      const clock = createFakeClock()
      let life = 0
      let seq = 0
      const at = new Map<number, number>()
      const told = new Map<number, string>()
      const open: { life: number; settle(kind: 'answer' | 'fail'): void }[] = []
      const settling = createSettling({
        clock,
        bytesMax: 350,
        settled: (frames) => {
          for (const each of frames) {
            assert.equal(told.has(each.seq), false)
            told.set(each.seq, 'settled')
          }
        },
        missed: (frames) => {
          for (const each of frames) {
            assert.equal(told.has(each.seq), false)
            told.set(each.seq, 'missed')
            assert.notEqual(at.get(each.seq), life)
          }
        },
      })
      const look = () =>
        new Promise<string>((resolve, reject) => {
          const began = life
          open.push({
            life: began,
            settle: (kind) => (kind === 'fail' ? reject(new Error('no')) : resolve(String(began))),
          })
        })
      settling.open(look)
      for (const { kind } of [...script, ...Array<Step>(6).fill({ kind: 'pass' })]) {
        if (kind === 'store') {
          at.set(++seq, life)
          settling.stored(frame(seq), String(life))
        } else if (kind === 'remade') life++
        else if (kind === 'reconnect') settling.open(look)
        else if (kind === 'pass') {
          clock.pass(2000)
          for (const each of open.splice(0)) each.settle('answer')
        } else open.shift()?.settle(kind)
        await turn()
      }
      assert.equal(told.size, seq)
      assert.equal(settling.frames(), 0)
      // Stored in a life of the consumers that had ended before the look: missed.
      for (const [each, what] of told) if (what === 'settled') assert.ok((at.get(each) ?? 0) <= life)
    }),
    { numRuns: 60 },
  )
})
