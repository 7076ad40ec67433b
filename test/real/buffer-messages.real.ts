// Messages in the log stream that are not one whole frame once: pieces, strangers, broken ones, copies.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { jetstream, jetstreamManager } from '@nats-io/jetstream'
import { connect, headers } from 'nats'
import { AGAIN_HEADER } from '../../protocol/buffer.js'
import { LOGS_STREAM } from '../../protocol/subjects.js'
import { buffered, demand, empty, ended, messagesIn, RECORDS, started, writeAll } from './buffer-kit.js'
import { ownServer, until } from './fleet.js'

test('frames larger than a message go in pieces, which two writers put together', {
  timeout: 600_000,
}, async (t) => {
  const own = await ownServer('max_payload: 65536')
  const options = { writers: ['v', 'w'], buffer: 'ack_wait: 2s' }
  const { scenario, corpus } = buffered(t, [own.url], options, RECORDS * 2)
  writeAll(corpus)
  await scenario.runOnce('a')
  const { parts } = await messagesIn(own.url)
  assert.ok(parts > 4, `${parts} pieces`)
  const writers = ['v', 'w'].map((name) => started(t, scenario, name))
  await writers[0]?.said(/frames come from JetStream/)
  writers[0]?.process.kill('SIGKILL')
  await empty(own.url)
  if (writers[1] !== undefined) await ended(writers[1])
  await demand(scenario, corpus)
})

test('messages of strangers and broken ones are counted and removed, the others pass', {
  timeout: 600_000,
}, async (t) => {
  const own = await ownServer()
  const { scenario, corpus } = buffered(t, [own.url])
  writeAll(corpus)
  await scenario.runOnce('a')
  const connection = await connect({ servers: own.url })
  const js = jetstream(connection)
  const manager = await jetstreamManager(connection)
  const { state } = await manager.streams.info(LOGS_STREAM)
  const genuine = (await manager.streams.getMessage(LOGS_STREAM, { seq: state.first_seq }))?.data
  assert.ok(genuine)
  const flipped = genuine.slice()
  flipped[flipped.length - 20] = (flipped[flipped.length - 20] ?? 0) ^ 255
  const note = (text: string) => {
    const fields = headers()
    fields.set('Millrace-Parts', text)
    return { headers: fields }
  }
  await js.publish('millrace.logs.x.y', 'hello')
  await js.publish('millrace.logs.x', '')
  await js.publish('millrace.logs.x.y', genuine.slice(0, 100))
  await js.publish('millrace.logs.x.y', flipped)
  await js.publish('millrace.logs.x.y', '', note('> 5 5'))
  await connection.close()
  const writer = started(t, scenario, 'w')
  await empty(own.url)
  const http = /"http":"([^"]+)"/.exec(await writer.said(/"msg":"running"/))?.[1] ?? ''
  // Each backend has its consumer; figures come with the beat of each thread.
  const refused = await until('all are counted', async () => {
    const metrics = await (await fetch(`http://${http}/metrics`)).text()
    const counts = [
      ...metrics.matchAll(/nats_refused_total\{subject="logs",reason="([^"]+)"[^}]*\} (\d+)/g),
    ].map(([, reason, count]) => ({ reason, count: Number(count) }))
    return counts.reduce((sum, { count }) => sum + count, 0) >= 2 * 5 ? counts : undefined
  })
  t.diagnostic(JSON.stringify(refused))
  assert.equal(
    refused.reduce((sum, { count }) => sum + count, 0),
    2 * 5,
  )
  assert.deepEqual((await scenario.status(writer)).reasons, [])
  await ended(writer)
  await demand(scenario, corpus)
})

test('a frame that was published twice, outside the window in which the server notices, is once in both', {
  timeout: 600_000,
}, async (t) => {
  const own = await ownServer()
  const { scenario, corpus } = buffered(t, [own.url], { writers: ['v', 'w'] })
  writeAll(corpus)
  await scenario.runOnce('a')
  const connection = await connect({ servers: own.url })
  const js = jetstream(connection)
  const { streams } = await jetstreamManager(connection)
  const { state } = await streams.info(LOGS_STREAM)
  const fields = headers()
  fields.set(AGAIN_HEADER, '1')
  for (let seq = state.first_seq; seq <= state.last_seq; seq++) {
    const found = await streams.getMessage(LOGS_STREAM, { seq })
    if (found !== null) await js.publish(found.subject, found.data, { headers: fields })
  }
  await connection.close()
  const writers = ['v', 'w'].map((name) => started(t, scenario, name))
  await empty(own.url)
  for (const writer of writers) await ended(writer)
  const { lokiCopies } = await demand(scenario, corpus)
  assert.equal(lokiCopies, 0)
})
