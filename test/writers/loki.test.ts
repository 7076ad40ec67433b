// The Loki writer against the stand-in: what is acknowledged is stored, whatever the server does in between.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startLokiStandIn } from '../stand-ins/loki.js'
import { frameId, makeFrame, recentRecords } from './frames.js'
import { startWriter } from './journal.js'

test('records arrive once, in their streams, with their ids as structured metadata', async () => {
  const loki = await startLokiStandIn()
  const writer = await startWriter({ type: 'loki', url: loki.url })
  try {
    const frames = [1, 2, 3].map((seq) =>
      makeFrame(frameId(seq), [
        ...recentRecords(300, { service: 'cart' }),
        ...recentRecords(200, {
          service: 'pay',
          level: 'ERROR',
          traceId: 'abcdef0123456789abcdef0123456789',
        }),
      ]),
    )
    writer.send(1, frames[0]!)
    writer.send(2, frames[1]!, 'encoded')
    writer.send(3, frames[2]!)
    await writer.allDone(1, 2, 3)
    const entries = new Map(loki.entries().map((entry) => [entry.metadata['rid'], entry]))
    assert.equal(entries.size, 1500)
    for (const { id, lines } of frames) {
      for (const [n, line] of lines.entries()) {
        const entry = entries.get(`${id}-${n}`)
        assert.equal(entry?.line, line)
        assert.equal(entry?.metadata['batch_id'], id)
        assert.equal(entry?.metadata['pod_name'], 'cart-0')
        const { service_name, log_level } = entry.labels
        assert.deepEqual([service_name, log_level], n < 300 ? ['cart', 'INFO'] : ['pay', 'ERROR'])
        assert.equal(entry.metadata['trace_id'], n < 300 ? undefined : 'abcdef0123456789abcdef0123456789')
      }
    }
  } finally {
    await writer.stop()
    await loki.close()
  }
})
