// A journal that is full while slabs grow into many small frames: the ingest thread never waits for a slot, it would answer nobody.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createChain, criOrigin, openOrigin } from './chain.js'

const FRAME_BYTES = 16 * 1024
const SLAB_LINES = 4000

function slab(from: number): Buffer {
  const lines = Array.from(
    { length: SLAB_LINES },
    (_, n) => `2026-11-23T10:11:12.123456789Z stdout F {"level":"info","n":${from + n}}\n`,
  )
  return Buffer.from(lines.join(''))
}

test('what is read before the sources stop fits the slots that are left, and all of it is there', () => {
  const chain = createChain({ records: { frame_bytes: FRAME_BYTES }, isFull: true })
  openOrigin(chain, criOrigin(1))
  let offset = 0
  let lines = 0
  const feed = (): void => {
    const content = slab(lines)
    chain.feed(1, content, { offset })
    offset += content.length
    lines += SLAB_LINES
  }
  const isOpen = () => chain.toSources.findLast(({ type }) => type === 'flow') === undefined
  while (isOpen()) feed()
  // Two that were on their way from other threads, and the frames that become old meanwhile.
  for (let n = 0; n < 2; n++) {
    feed()
    chain.advance(1000)
  }
  assert.ok(chain.slots.free() > 0, 'a slot is left')
  assert.ok(
    chain.frames.some(({ header }) => header.ndjsonBytes > 4 * FRAME_BYTES),
    'frames grow',
  )
  chain.end()
  assert.equal(chain.lines().length, lines)
})
