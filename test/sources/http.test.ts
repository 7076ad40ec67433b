// Pushed records: 200 only for what is durable, a clear refusal for everything else, and never more memory than agreed.
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { Agent, request, type IncomingHttpHeaders, type OutgoingHttpHeaders } from 'node:http'
import { connect, createServer } from 'node:net'
import { afterEach, test } from 'node:test'
import { gzipSync } from 'node:zlib'
import { httpSource } from '../../actors/sources/http.js'
import { httpSource as schema } from '../../protocol/config/sources.js'
import { createBench, type Bench, type KeptSlab } from './bench.js'
import { logFolder } from './folders.js'

const RECORDS = { line_bytes_max: 1000, frame_bytes: 512 * 1024, batch_age_max: 500 }
const agent = new Agent({ keepAlive: false })
let benches: Bench[] = []

afterEach(async () => {
  for (const bench of benches) await bench.stop()
  benches = []
})

interface Reply {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly body: { readonly records?: number; readonly error?: string; readonly offset?: number }
}

interface Source {
  readonly bench: Bench
  readonly port: number
  push(body: string | Buffer, headers?: OutgoingHttpHeaders, path?: string, method?: string): Promise<Reply>
}

async function source(options: Record<string, unknown> = {}, durable = true): Promise<Source> {
  const onSlab = (slab: KeptSlab): void => {
    if (durable && slab.token !== undefined) {
      const tokens = [slab.token]
      setImmediate(() => bench.actor().on.durable?.({ type: 'durable', tokens }, 'sample'))
    }
  }
  const bench = createBench({ name: 'push', onSlab })
  benches.push(bench)
  let port = 0
  const parsed = { ...schema.parse({ type: 'http', listen: '127.0.0.1:0' }), ...options }
  const actor = httpSource(bench.context, {
    name: 'push',
    options: parsed,
    records: RECORDS,
    onListening: (taken) => (port = taken),
  })
  await bench.start(actor)
  return { bench, port, push: (body, headers, path, method) => push(port, body, headers, path, method) }
}

function push(
  port: number,
  body: string | Buffer,
  headers: OutgoingHttpHeaders = { 'content-type': 'application/x-ndjson' },
  path = '/ingest',
  method = 'POST',
): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const call = request({ port, host: '127.0.0.1', path, method, headers, agent }, (response) => {
      const chunks: Buffer[] = []
      response.on('data', (chunk: Buffer) => chunks.push(chunk))
      response.on('end', () => {
        const text = Buffer.concat(chunks).toString()
        resolve({
          status: response.statusCode ?? 0,
          headers: response.headers,
          body: JSON.parse(text || '{}'),
        })
      })
    })
    call.on('error', reject)
    call.end(body)
  })
}

const json = { 'content-type': 'application/json' }

test('lines are answered with their number once they are durable, empty ones do not count', async () => {
  const { bench, push: send } = await source()
  const reply = await send('{"a":1}\n\n{"a":2}\r\n  \nnot json')
  assert.deepEqual([reply.status, reply.body], [200, { records: 3 }])
  assert.equal(bench.slabs.map(({ text }) => text).join(''), '{"a":1}\n{"a":2}\r\nnot json\n')
  assert.equal((await send('a\nb\n', { 'content-type': 'text/plain; charset=utf-8' })).body.records, 2)
  assert.equal((await send('')).body.records, 0)
  assert.equal(bench.announced[0]?.origin.format, 'lines')
})

test('nothing is confirmed before it is durable', async () => {
  const { bench, push: send } = await source({}, false)
  let answered = false
  const reply = send('{"a":1}\n').then((value) => {
    answered = true
    return value
  })
  await bench.until(() => bench.slabs.length === 1, 'the slab')
  await new Promise((resolve) => setTimeout(resolve, 30))
  assert.equal(answered, false)
  bench.actor().on.durable?.({ type: 'durable', tokens: [bench.slabs[0]?.token as number] }, 'sample')
  assert.equal((await reply).status, 200)
})

test('a journal that does not answer in time is said so, not confirmed', async () => {
  const { push: send } = await source({ timeout: 50 }, false)
  assert.equal((await send('{"a":1}\n')).status, 503)
})

test('a JSON array becomes a line an element, one object one line', async () => {
  const { bench, push: send } = await source()
  const array = '[ {"a":[1,{"b":"]\\"},{"}]} ,\n{"c":\n 2}, "text", 12 ]\n'
  assert.deepEqual((await send(array, json)).body, { records: 4 })
  const lines = bench.slabs
    .map(({ text }) => text)
    .join('')
    .split('\n')
    .map((line) => line.trim())
  assert.deepEqual(lines, ['{"a":[1,{"b":"]\\"},{"}]}', '{"c":  2}', '"text"', '12', ''])
  assert.deepEqual((await send('{\n "one": 1\n}\n', json)).body, { records: 1 })
  assert.deepEqual((await send('[]', json)).body, { records: 0 })
})

test('a body that is no array and no object is refused with the position, and nothing of it is taken', async () => {
  const { bench, push: send } = await source()
  const cases: [string, number][] = [
    ['', 0],
    ['[{"a":1},{"b":2}', 16],
    ['[{"a":1},]', 9],
    ['[{"a":1} {"b":2}]', 9],
    ['[{"a":1}] x', 10],
    ['[{"a":[1}]', 8],
    ['[{"a":"x', 1],
    ['{"a":1', 0],
    ['12', 0],
  ]
  for (const [body, offset] of cases) {
    const reply = await send(body, json)
    assert.deepEqual([reply.status, reply.body.offset], [400, offset], `${body}: ${reply.body.error}`)
  }
  assert.equal(bench.slabs.length, 0)
})

test('gzip is unpacked within bounds: a bomb is 413, a broken one 400', async () => {
  const { bench, push: send } = await source({ body_bytes_max: 100_000 })
  const gzip = { 'content-type': 'application/x-ndjson', 'content-encoding': 'gzip' }
  assert.equal((await send(gzipSync('{"a":1}\n'), gzip)).body.records, 1)
  assert.equal((await send(gzipSync(Buffer.alloc(10_000_000, 'x')), gzip)).status, 413)
  assert.equal((await send(gzipSync('{"a":1}\n'.repeat(999)).subarray(0, -9), gzip)).status, 400)
  assert.equal((await send('no gzip', gzip)).status, 400)
  assert.equal((await send('x'.repeat(100_001))).status, 413)
  assert.equal(bench.slabs.length, 1)
})

test('a large body goes in several slabs, and only the last asks for the answer', async () => {
  const { bench, push: send } = await source()
  const line = `{"text":"${'x'.repeat(500)}"}\n`
  assert.deepEqual((await send(line.repeat(5000))).body, { records: 5000 })
  assert.ok(bench.slabs.length > 3)
  assert.deepEqual(
    bench.slabs.map(({ token }) => token !== undefined).lastIndexOf(false),
    bench.slabs.length - 2,
  )
  assert.equal(bench.slabs.map(({ text }) => text).join(''), line.repeat(5000))
  let at = 0
  for (const slab of bench.slabs) {
    assert.equal(slab.offset, at)
    at = slab.endOffset
  }
})

test('a line longer than a slab is cut', async () => {
  const { bench, push: send } = await source()
  assert.deepEqual((await send(`a\n${'x'.repeat(600_000)}\nb\n`)).body, { records: 3 })
  assert.deepEqual(
    bench.slabs.map(({ cut, bytes }) => [cut === true, bytes.length]),
    [
      [false, 2],
      [true, 1000],
      [false, 2],
    ],
  )
})

test('a full journal is answered 429 with Retry-After, and what was begun waits', async () => {
  const { bench, push: send } = await source()
  bench.actor().on.flow?.({ type: 'flow', open: false }, 'sample')
  const reply = await send('{"a":1}\n')
  assert.deepEqual([reply.status, reply.headers['retry-after']], [429, '1'])
  bench.actor().on.flow?.({ type: 'flow', open: false, reason: 'drained by an operator' }, 'sample')
  assert.equal((await send('{"a":1}\n')).body.error, 'drained by an operator')
  bench.actor().on.flow?.({ type: 'flow', open: true }, 'sample')
  assert.equal((await send('{"a":1}\n')).status, 200)
})

test('more requests than agreed are answered 429', async () => {
  const { bench, push: send } = await source({ requests_max: 1 }, false)
  const first = send('{"a":1}\n')
  await bench.until(() => bench.slabs.length === 1, 'the first')
  assert.equal((await send('{"a":2}\n')).status, 429)
  bench.actor().on.durable?.({ type: 'durable', tokens: [bench.slabs[0]?.token as number] }, 'sample')
  assert.equal((await first).status, 200)
})

test('bodies in memory are bounded together', async () => {
  const { bench, push: send } = await source({ body_bytes_max: 10_000 }, false)
  const held = Array.from({ length: 4 }, () => send('x'.repeat(9_999)))
  await bench.until(() => bench.slabs.length === 4, 'four bodies held')
  assert.equal((await send('x'.repeat(9_999))).status, 429)
  const tokens = bench.slabs.map(({ token }) => token as number)
  bench.actor().on.durable?.({ type: 'durable', tokens }, 'sample')
  for (const reply of held) assert.equal((await reply).status, 200)
})

test('only a bearer of the token may push', async () => {
  const folder = logFolder()
  try {
    writeFileSync(folder.path('token'), 'secret-token\n')
    const { push: send } = await source({ token_file: folder.path('token') })
    const type = { 'content-type': 'application/x-ndjson' }
    assert.equal((await send('a\n', type)).status, 401)
    assert.equal((await send('a\n', { ...type, authorization: 'Bearer secret-tokem' })).status, 401)
    assert.equal((await send('a\n', { ...type, authorization: 'Bearer secret-token' })).status, 200)
  } finally {
    folder.remove()
  }
})

test('an address that others reach is refused without a token, and the error names the way out', () => {
  const bench = createBench({ name: 'push' })
  const options = { ...schema.parse({ type: 'http', listen: '0.0.0.0:7701' }) }
  assert.throws(
    () => httpSource(bench.context, { name: 'push', options, records: RECORDS }),
    (error: Error & { code?: string }) =>
      error.code === 'http.token_required' && /token_file/.test(error.message),
  )
  assert.throws(
    () =>
      httpSource(bench.context, {
        name: 'push',
        options: { ...options, token_file: '/nowhere/token' },
        records: RECORDS,
      }),
    (error: Error & { code?: string }) => error.code === 'http.token_file',
  )
})

test('a port in use is named with its option', async () => {
  const blocker = createServer().listen(0, '127.0.0.1')
  await new Promise((resolve) => blocker.once('listening', resolve))
  const address = blocker.address()
  const port = typeof address === 'object' ? address?.port : 0
  try {
    await assert.rejects(
      source({ listen: `127.0.0.1:${port}` }),
      (error: Error & { code?: string }) =>
        error.code === 'http.port_in_use' &&
        error.message.startsWith(`sources.push.listen: 127.0.0.1:${port}`),
    )
  } finally {
    blocker.close()
  }
})

test('other paths, methods and types are told what is right', async () => {
  const { push: send } = await source()
  assert.equal((await send('a', json, '/')).status, 404)
  const get = await send('', json, '/ingest', 'GET')
  assert.deepEqual([get.status, get.headers.allow], [405, 'POST'])
  assert.equal((await send('a', {})).status, 415)
  assert.equal((await send('a', { 'content-type': 'text/plain', 'content-encoding': 'br' })).status, 415)
})

test('a client that hangs up in the middle of a body leaves nothing behind', async () => {
  const { bench, port, push: send } = await source({ body_bytes_max: 1000 })
  for (const encoding of ['', 'content-encoding: gzip\r\n']) {
    const socket = connect(port, '127.0.0.1')
    const head = `POST /ingest HTTP/1.1\r\nhost: a\r\ncontent-type: text/plain\r\n${encoding}content-length: 900\r\n\r\n`
    socket.write(head)
    socket.write(encoding === '' ? 'half a bo' : gzipSync('half').subarray(0, 12))
    await new Promise((resolve) => setTimeout(resolve, 20))
    socket.destroy()
  }
  for (let n = 0; n < 6; n++) assert.equal((await send('x'.repeat(900))).status, 200)
  assert.equal(bench.slabs.length, 6)
})

test('on shutdown new requests are answered 503', async () => {
  const { bench, push: send } = await source()
  bench.actor().on.drain?.({ type: 'drain' }, 'supervisor')
  assert.equal((await send('a\n')).status, 503)
})
