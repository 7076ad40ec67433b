// A heap that has grown is collected, one that has not is left alone; V8's own collection is found from inside a thread.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { test } from 'node:test'
import { Worker } from 'node:worker_threads'
import { watchHeap } from '../../runtime/heap.js'
import { createFakeClock } from '../journal/fake-clock.js'

const MIB = 1024 * 1024
const LOOK_MS = 30_000

test('collected after it has grown by 4 MiB over what the last collection left, and not before', async () => {
  const clock = createFakeClock()
  let usedBytes = 10 * MIB
  let livingBytes = 10 * MIB
  let collections = 0
  const collect = () => {
    collections++
    usedBytes = livingBytes
  }
  const end = watchHeap(clock, { usedBytes: () => usedBytes, collect })
  const lookAt = async (bytes: number): Promise<number> => {
    usedBytes = bytes
    await clock.advance(LOOK_MS)
    return collections
  }
  assert.equal(await lookAt(13 * MIB), 0)
  assert.equal(await lookAt(14 * MIB), 1)
  assert.equal(await lookAt(13 * MIB), 1, 'counted from what the collection left')
  livingBytes = 20 * MIB
  assert.equal(await lookAt(24 * MIB), 2)
  assert.equal(await lookAt(23 * MIB), 2, 'what lives is not collected again and again')
  assert.equal(await lookAt(8 * MIB), 2, "V8's own collection")
  assert.equal(await lookAt(12 * MIB), 3, 'counts as well')
  end()
  assert.equal(await lookAt(90 * MIB), 3)
})

test('a thread collects its own heap', async () => {
  const module = JSON.stringify(new URL('../../runtime/heap.js', import.meta.url).href)
  const worker = new Worker(
    `import(${module}).then(({ watchHeap }) => {
      const { getHeapStatistics } = require('node:v8')
      const { parentPort } = require('node:worker_threads')
      let look
      watchHeap({ every: (_, run) => { look = run } })
      let old = Array.from({ length: 200_000 }, (_, n) => ({ n, text: 'x' + n }))
      for (let n = 0; n < 40; n++) new Array(50_000).fill(n)
      old = undefined
      const before = getHeapStatistics().used_heap_size
      look()
      parentPort.postMessage(before - getHeapStatistics().used_heap_size)
    })`,
    { eval: true },
  )
  const [freedBytes] = (await once(worker, 'message')) as [number]
  await worker.terminate()
  assert.ok(freedBytes > 8 * MIB, `${freedBytes} bytes freed`)
})
