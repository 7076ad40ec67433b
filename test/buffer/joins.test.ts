// Frames in pieces: however many notes come at once, no more is in memory than the writer has credit for.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { createJoins, type Parted } from '../../actors/buffer/joins.js'

const CREDIT = 100

function scene() {
  let held = 0
  let most = 0
  let underWay = 0
  let ended = 0
  const joined: number[] = []
  const joins = createJoins(
    (bytes) => held === 0 || held + bytes <= CREDIT,
    () => ended++,
  )
  const parted = (streamSeq: number, bytes: number): Parted => ({
    bytes,
    delivery: { streamSeq, reply: `r${streamSeq}` },
    async join() {
      underWay++
      assert.equal(underWay, 1, 'one at a time')
      await turn()
      underWay--
      held += bytes
      most = Math.max(most, held)
      joined.push(streamSeq)
    },
  })
  const done = (bytes: number): void => {
    held -= bytes
    joins.next()
  }
  const quiet = async (): Promise<void> => {
    for (let n = 0; n < 200; n++) await turn()
  }
  return { joins, parted, done, quiet, joined, most: () => most, ended: () => ended }
}

test('a hundred notes at once: in order, one at a time, never more than the credit', async () => {
  const { joins, parted, done, quiet, joined, most, ended } = scene()
  for (let n = 0; n < 100; n++) joins.add(parted(n, 40))
  assert.equal(joins.bytes(), 4000)
  assert.equal(joins.deliveries().length, 100, 'their notes are kept alive')
  while (joined.length < 100) {
    await quiet()
    done(40)
  }
  assert.deepEqual(
    joined,
    Array.from({ length: 100 }, (_, n) => n),
  )
  assert.ok(most() <= CREDIT)
  assert.deepEqual([ended(), joins.bytes()], [100, 0])
})

test('a frame of more than the credit is taken when nothing else is held', async () => {
  const { joins, parted, done, quiet, joined } = scene()
  joins.add(parted(1, 40))
  joins.add(parted(2, 400))
  await quiet()
  assert.deepEqual(joined, [1])
  done(40)
  await quiet()
  assert.deepEqual(joined, [1, 2])
})

test('those that wait are given back when the writer is started anew', async () => {
  const { joins, parted, quiet, joined } = scene()
  for (let n = 0; n < 5; n++) joins.add(parted(n, 90))
  await quiet()
  assert.deepEqual(
    joins.drop().map(({ streamSeq }) => streamSeq),
    [1, 2, 3, 4],
  )
  await quiet()
  assert.deepEqual([joined, joins.bytes()], [[0], 0])
})
