// Connections to a push source that only want to be held: they are bounded in number and in time.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { httpSource } from '../../actors/sources/http.js'
import { httpSource as schema } from '../../protocol/config/sources.js'
import { holdConnections } from '../http/held-connections.js'
import { createBench } from './bench.js'

const RECORDS = { line_bytes_max: 1000, frame_bytes: 512 * 1024, batch_age_max: 500 }
/** Two for each request that may be under way. */
const CONNECTIONS_MAX = 2

test('more connections than may be are closed at once, and those whose header does not end in time', async (t) => {
  const bench = createBench({ name: 'push' })
  let port = 0
  const options = {
    ...schema.parse({ type: 'http', listen: '127.0.0.1:0' }),
    requests_max: CONNECTIONS_MAX / 2,
  }
  const more = { name: 'push', options, records: RECORDS, onListening: (taken: number) => (port = taken) }
  await bench.start(httpSource(bench.context, more))
  t.after(() => bench.stop())
  const closed = holdConnections(t, port, CONNECTIONS_MAX + 1, 'POST /ingest HTTP/1.1\r\nhost: x\r\na: ')
  await Promise.race(closed)
  await Promise.all(closed)
  // There is room again for somebody who means it.
  const answer = await fetch(`http://127.0.0.1:${port}/other`, { method: 'POST', body: 'x' })
  assert.equal(answer.status, 404)
})
