// Memory that threads share: a slot has one owner, a dead owner's slots come back, settings are never read half-written.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Worker } from 'node:worker_threads'
import { createLiveMemory, openLiveSettings } from '../../runtime/live-settings.js'
import { createArena, freeSlots, openSlots } from '../../runtime/slots.js'
import { decodeWire, encodeWire } from '../../runtime/wire.js'
import type { Message } from '../../protocol/messages.js'

test('what a dead ingest thread held comes back, what the journal has taken over does not', () => {
  const slots = openSlots(createArena({ count: 3, rawBytesMax: 8, encodedBytesMax: 8 }))
  const [first, second, third] = [slots.acquire(1), slots.acquire(1), slots.acquire(2)]
  assert.equal(slots.acquire(2), -1)
  slots.adopt(first)
  assert.equal(slots.reclaim(2), 1)
  assert.equal(slots.acquire(2), second)
  slots.release(third)
  slots.release(first)
  assert.equal(slots.free(), 2)
})

test('a slot that was acquired again has another generation, and still has it when all slots are given back', () => {
  const arena = createArena({ count: 2, rawBytesMax: 8, encodedBytesMax: 8 })
  const slots = openSlots(arena)
  const slot = slots.acquire(1)
  const first = slots.generation(slot)
  slots.adopt(slot)
  slots.release(slot)
  assert.equal(slots.generation(slot), first)
  freeSlots(arena)
  assert.equal(slots.acquire(2), slot)
  assert.notEqual(slots.generation(slot), first)
  assert.equal(slots.free(), 1)
})

test('settings that another thread replaces are read whole', async () => {
  const memory = createLiveMemory(JSON.stringify({ n: 0, text: '0' }))
  const live = openLiveSettings(memory)
  const source = `
    const { workerData, parentPort } = require('node:worker_threads')
    import(workerData.module).then(({ openLiveSettings }) => {
      const live = openLiveSettings(workerData.memory)
      for (let n = 1; n <= 2000; n++) live.publish(JSON.stringify({ n, text: String(n).repeat(n % 300) }))
      parentPort.postMessage('done')
    })`
  const module = new URL('../../runtime/live-settings.js', import.meta.url).href
  const worker = new Worker(source, { eval: true, workerData: { module, memory } })
  let done = false
  const ended = new Promise<void>((resolve) => worker.once('message', () => resolve()))
  void ended.then(() => (done = true))
  while (!done) {
    for (let look = 0; look < 200; look++) {
      const { n, text } = JSON.parse(live.read()) as { n: number; text: string }
      if (n > 0) assert.equal(text, String(n).repeat(n % 300))
    }
    await new Promise((resolve) => setImmediate(resolve))
  }
  assert.equal((JSON.parse(live.read()) as { n: number }).n, 2000)
  await worker.terminate()
})

test('a thread that dies while it publishes leaves the last whole text, and readers never wait for it', async () => {
  const memory = createLiveMemory('0')
  const live = openLiveSettings(memory)
  const module = new URL('../../runtime/live-settings.js', import.meta.url).href
  const source = `
    const { workerData, parentPort } = require('node:worker_threads')
    import(workerData.module).then(({ openLiveSettings }) => {
      const live = openLiveSettings(workerData.memory)
      for (let n = 1; ; n++) live.publish(String(n % 10).repeat(200_000))
    })`
  for (let death = 0; death < 5; death++) {
    const before = live.version()
    const worker = new Worker(source, { eval: true, workerData: { module, memory } })
    while (live.version() - before < 3 + death) await new Promise((resolve) => setImmediate(resolve))
    await worker.terminate()
    const text = live.read()
    assert.equal(text, (text[0] ?? '').repeat(200_000))
  }
  live.publish('after')
  assert.equal(live.read(), 'after')
})

test('a publisher learns when the reading side has its version, and a reader that idles is woken', async () => {
  const memory = createLiveMemory('0')
  const [publisher, reader] = [openLiveSettings(memory), openLiveSettings(memory)]
  const end = reader.onChange(() => reader.applied(reader.version()))
  for (let n = 0; n < 100; n++)
    assert.equal(await publisher.whenApplied(publisher.publish(String(n)), 5000), true)
  end()
  assert.equal(await publisher.whenApplied(publisher.publish('nobody reads'), 20), false)
})

test('a message with a large body crosses threads whole, and a slab stays usable for its source', () => {
  const bytes = new Uint8Array(5000).fill(7)
  const slab: Message = { type: 'slab', origin: 1, bytes, offset: 0, endOffset: 5000 }
  const { wire, transfer } = encodeWire({ to: 'parse', from: 'source.a', message: slab })
  const received = structuredClone(wire, { transfer })
  assert.equal(bytes.length, 5000)
  const { to, from, message } = decodeWire(received)
  assert.deepEqual([to, from, message.type], ['parse', 'source.a', 'slab'])
  assert.deepEqual(message.type === 'slab' ? message.bytes : undefined, bytes)
})
