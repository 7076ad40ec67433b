// What goes over the wire, piece by piece: bulk answers, index names, label sets, pushes taken apart, credentials.
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { test } from 'node:test'
import fc from 'fast-check'
import { allStored, readItems } from '../../actors/writers/elasticsearch/answer.js'
import { createIndexNames } from '../../actors/writers/elasticsearch/index-name.js'
import { verdictOf } from '../../actors/writers/loki/answer.js'
import { formatLabels, labelsOf, labelValue } from '../../actors/writers/loki/labels.js'
import { assembleEntries, takeApart } from '../../actors/writers/loki/push.js'
import { segmentsOf } from '../../actors/writers/loki/segments.js'
import { createStreams } from '../../actors/writers/loki/streams.js'
import { decodePush } from '../stand-ins/push-decode.js'
import { createFakeClock } from './fake-clock.js'
import { frameId, makeFrame, recentRecords } from './frames.js'
import { startWriter } from './journal.js'

function answerOf(statuses: readonly number[]): Buffer {
  const items = statuses.map((status) => ({ create: { status } }))
  return Buffer.from(JSON.stringify({ errors: statuses.some((status) => status !== 201), items }))
}

test('property: the quick look at a bulk answer says stored exactly when a parser would', () => {
  const statuses = fc.array(fc.constantFrom(201, 201, 201, 409, 429, 400, 200, 503), {
    minLength: 1,
    maxLength: 40,
  })
  fc.assert(
    fc.property(
      statuses,
      fc.integer({ min: -2, max: 2 }),
      fc.option(fc.nat()),
      fc.nat(255),
      (all, off, damageAt, damage) => {
        const body = answerOf(all)
        if (damageAt !== null) body[damageAt % body.length] = damage
        const count = all.length + off
        if (count < 1) return
        const parsed = readItems(body, count)
        const stored = parsed?.every(({ status }) => status === 201 || status === 409) === true
        // Damage may leave an answer a parser still takes for stored (white space, another verb); never the other way round.
        if (allStored(body, count)) assert.ok(stored)
        else if (damageAt === null) assert.ok(!stored)
      },
    ),
  )
})

test('a document in the failure store is not taken for stored', () => {
  const body = Buffer.from(
    '{"errors":false,"items":[{"create":{"status":201,"failure_store":"used"}},{"create":{"status":201}}]}',
  )
  assert.equal(allStored(body, 2), false)
  assert.deepEqual(
    readItems(body, 2)?.map(({ status }) => status),
    [400, 201],
  )
})

test('index names follow the UTC time of the record; what is no legal name is refused at once', () => {
  const at = Date.UTC(2026, 10, 23, 7, 59, 59, 999)
  assert.equal(createIndexNames('logs-%Y-%m-%d').at(at), 'logs-2026-11-23')
  assert.equal(createIndexNames('l-%Y.%m.%d.%H').at(at + 1), 'l-2026.11.23.08')
  assert.equal(createIndexNames('logs').at(at), 'logs')
  assert.equal(createIndexNames('logs-%Y-%m-%d').wildcard, 'logs-*-*-*')
  for (const bad of ['Logs', 'a b', '_x', '', 'a*', 'logs-%y'])
    assert.throws(() => createIndexNames(bad), { code: 'config.index' })
})

test('property: label sets read back as they were, whatever the values', () => {
  fc.assert(
    fc.property(fc.array(fc.string({ unit: 'binary' }), { minLength: 1, maxLength: 5 }), (values) => {
      const pairs = values.map((value, n) => [`l${n}`, labelValue(value)] as const)
      const text = formatLabels(pairs)
      const read = [...text.matchAll(/(l\d)=("(?:[^"\\]|\\.)*")/g)].map(([, name, quoted]) => [
        name,
        JSON.parse(quoted ?? '') as string,
      ])
      assert.deepEqual(read, pairs)
      for (const [, value] of pairs) assert.ok(!value.includes('\ufffd') && Buffer.byteLength(value) <= 2048)
    }),
  )
})

test('labels whose names fall together at Loki are told, the first stays', () => {
  const { labels, colliding } = labelsOf(['service_name', 'kubernetes.labels.a.b', 'kubernetes.labels.a/b'])
  assert.deepEqual(
    labels.map(({ name }) => name),
    ['service_name', 'kubernetes_labels_a_b'],
  )
  assert.deepEqual(colliding, ['kubernetes.labels.a/b'])
})

test('property: entries of a push keep their bytes when it is taken apart and put together in other pieces', () => {
  const text = fc.string({ unit: 'binary', maxLength: 300 })
  const entry = fc.record({ stream: fc.nat(3), line: text, n: fc.nat(100_000) })
  fc.assert(
    fc.property(fc.array(entry, { minLength: 1, maxLength: 30 }), fc.nat(), (made, at) => {
      const entries = made
        .sort((a, b) => a.stream - b.stream)
        .map(({ stream, line, n }) => {
          const pair = field(
            0x1a,
            Buffer.concat([field(0x0a, Buffer.from('rid')), field(0x12, Buffer.from(`a-b_-${n}`))]),
          )
          const time = field(0x0a, Buffer.from([0x08, 0x80, 0x80, 0x01, 0x10, 0x05]))
          const bytes = field(0x12, Buffer.concat([time, field(0x12, Buffer.from(line)), pair]))
          return { labels: `{s="${stream}"}`, tsMs: 0, line, bytes, frame: 'a-b_', n }
        })
      const whole = takeApart(assembleEntries(entries))
      assert.deepEqual(
        whole.map(({ labels, line, frame, n }) => [labels, line, frame, n]),
        entries.map(({ labels, line, frame, n }) => [labels, Buffer.from(line).toString(), frame, n]),
      )
      const cut = at % (entries.length + 1)
      const pieces = [whole.slice(0, cut), whole.slice(cut)].map((piece) => assembleEntries(piece))
      const again = pieces.flatMap((piece) => takeApart(piece))
      assert.deepEqual(
        again.map(({ bytes }) => bytes.toString('hex')),
        entries.map(({ bytes }) => bytes.toString('hex')),
      )
      for (const piece of pieces) decodePush(piece)
    }),
  )
})

function field(tag: number, content: Buffer): Buffer {
  const length: number[] = []
  let rest = content.length
  for (; rest >= 128; rest >>>= 7) length.push((rest & 127) | 128)
  return Buffer.concat([Buffer.from([tag, ...length, rest]), content])
}

test('property: segments cover every entry once, never mix windows, and stay inside the reach of their stream', () => {
  const HOUR_MS = 3_600_000
  const now = Date.UTC(2026, 10, 23, 12)
  const batch = fc.array(fc.integer({ min: -12 * 60, max: 9 }), { minLength: 1, maxLength: 40 })
  fc.assert(
    fc.property(fc.array(batch, { minLength: 1, maxLength: 8 }), (batches) => {
      const { labels } = labelsOf(['service_name'])
      const streams = createStreams({ labels, tenant: '', lanes: 4, streamsMax: 10 }, createFakeClock())
      const stream = streams.of({
        service_name: 'a',
        namespace: 'b',
        cluster_id: 'c',
        log_level: 'INFO',
        log_type: 'app',
      })
      const newest = new Map<string, number>()
      for (const minutes of batches) {
        const times = minutes.map((minute) => now + minute * 60_000).sort((a, b) => a - b)
        const { segments, late } = segmentsOf(
          streams,
          stream,
          0,
          times.length,
          (at) => times[at] as number,
          now,
        )
        let at = late
        for (const { from, to, window, track } of segments) {
          assert.equal(from, at)
          at = to
          for (let n = from; n < to; n++) {
            const ms = times[n] as number
            const key = track.labels.toString()
            assert.equal(Math.floor(ms / 300_000), window)
            assert.ok(ms >= (newest.get(key) ?? Number.NEGATIVE_INFINITY) - HOUR_MS, 'Loki would refuse it')
            newest.set(key, Math.max(newest.get(key) ?? Number.NEGATIVE_INFINITY, ms))
          }
        }
        assert.equal(at, times.length)
      }
    }),
  )
})

test('an entry of the far future does not send the ones after it to a repair stream', () => {
  const now = Date.UTC(2026, 10, 23, 12)
  const streams = createStreams(
    { labels: labelsOf(['service_name']).labels, tenant: '', lanes: 4, streamsMax: 10 },
    createFakeClock(),
  )
  const stream = streams.of({
    service_name: 'a',
    namespace: 'b',
    cluster_id: 'c',
    log_level: 'INFO',
    log_type: 'app',
  })
  for (const ms of [now + 100 * 365 * 86_400_000, now]) {
    const { segments } = segmentsOf(streams, stream, 0, 1, () => ms, now)
    assert.equal(segments[0]?.track.level, 0)
  }
})

test("Loki's own words are understood", () => {
  const edge = '2026-11-16T10:00:00Z'
  const edgeMs = Date.parse(edge)
  const stream = '\'{service_name="a"}\''
  const cases = [
    [204, '', { kind: 'stored' }],
    [
      400,
      `entry for stream ${stream} has timestamp too old: 2026-01-01T00:00:00Z, oldest acceptable timestamp is: ${edge}`,
      { kind: 'outside', reason: 'too_old', edgeMs },
    ],
    [
      400,
      `entry with timestamp 2026-11-16T09:00:00Z ignored, reason: 'entry too far behind, entry timestamp is: 2026-11-16T09:00:00Z, oldest acceptable timestamp is: ${edge}' for stream: {a="b"}`,
      { kind: 'behind', edgeMs },
    ],
    [
      400,
      `entry for stream ${stream} has timestamp too new: ${edge}`,
      { kind: 'outside', reason: 'too_new', edgeMs: edgeMs + 1000 },
    ],
    [400, "max entry size '262144' bytes exceeded for stream", { kind: 'poison', reason: 'line_too_long' }],
    [429, 'ingestion rate limit exceeded', { kind: 'retry' }],
    [400, 'maximum active stream limit exceeded when trying to create stream', { kind: 'retry' }],
    [
      500,
      'rpc error: code = ResourceExhausted desc = grpc: received message larger than max',
      { kind: 'too_large' },
    ],
    [500, 'at least 1 live replicas required', { kind: 'suspect' }],
    [260, 'ingestion blocked', { kind: 'poison', reason: 'blocked' }],
  ] as const
  for (const [status, text, verdict] of cases) assert.deepEqual(verdictOf(status, text), verdict, text)
})

/** Answers all as Elasticsearch (200) or Loki (204) does, and keeps what it was asked. */
async function recordingServer(status: number) {
  const asked: { readonly url: string; readonly headers: NodeJS.Dict<string | string[]> }[] = []
  const server = createServer((request, response) => {
    asked.push({ url: request.url ?? '', headers: request.headers })
    request.resume().on('end', () => {
      response.writeHead(status, { 'x-elastic-product': 'Elasticsearch' })
      response.end()
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const close = () => {
    server.closeAllConnections()
    return new Promise((resolve) => server.close(resolve))
  }
  return { asked, close, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/prefix` }
}

test('credentials come from their files, go into the headers, and into no log', async () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'millrace-secret-'))
  const secret = 'hunter2-very-secret'
  const file = path.join(folder, 'secret')
  writeFileSync(file, `${secret}\n`)
  const basic = `Basic ${Buffer.from(`me:${secret}`).toString('base64')}`
  const cases = [
    [{ type: 'elasticsearch', username: 'me', password_file: file, template: false }, 200, basic],
    [{ type: 'elasticsearch', api_key_file: file, template: false }, 200, `ApiKey ${secret}`],
    [{ type: 'loki', username: 'me', password: secret, tenant: 'team-a' }, 204, basic],
    [{ type: 'loki', bearer_token_file: file, tenant: 'team-a' }, 204, `Bearer ${secret}`],
  ] as const
  try {
    for (const [options, status, authorization] of cases) {
      const server = await recordingServer(status)
      const writer = await startWriter({ ...options, url: server.url })
      writer.send(1, makeFrame(frameId(1), recentRecords(3)))
      await writer.until('asked', () => server.asked.some(({ url }) => /_bulk|push/.test(url)))
      await writer.stop()
      await server.close()
      for (const { url, headers } of server.asked) {
        assert.ok(url.startsWith('/prefix/'))
        assert.equal(headers['authorization'], authorization)
        if (options.type === 'loki') assert.equal(headers['x-scope-orgid'], 'team-a')
      }
      assert.ok(!JSON.stringify([writer.logs, writer.sent]).includes(secret))
    }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
})
